import { describe, expect, test } from '@jest/globals';
import { andThen, isPromise } from '../../../lib/flow/maybe-promise.ts';

describe('isPromise', () => {
  test.each([
    ['a promise', Promise.resolve(1)],
    ['any object with a then method', { then: () => undefined }],
  ])('knows %s', (_, value) => {
    expect(isPromise<unknown>(value)).toBe(true);
  });

  test.each([
    ['null', null],
    ['nothing', undefined],
    ['a number', 1],
    ['a text', 'then'],
    ['a plain object', {}],
    ['an object whose then is no function', { then: 1 }],
  ])('does not take %s for a promise', (_, value) => {
    expect(isPromise<unknown>(value)).toBe(false);
  });
});

describe('andThen', () => {
  test('continues at once when the value is there', () => {
    expect(andThen(20, (value) => value + 1)).toBe(21);
  });

  test('continues when the value comes', async () => {
    const order: string[] = [];
    const result = andThen(Promise.resolve(20), (value) => {
      order.push('continued');
      return value + 1;
    });
    order.push('returned');
    await expect(result).resolves.toBe(21);
    expect(order).toEqual(['returned', 'continued']);
  });

  test('flattens a continuation that takes its time', async () => {
    await expect(andThen(Promise.resolve(1), (value) => Promise.resolve(value + 1))).resolves.toBe(2);
    await expect(andThen(1, (value) => Promise.resolve(value + 1))).resolves.toBe(2);
  });

  test('does not continue after a rejection, and passes it on', async () => {
    let continued = false;
    const result = andThen(Promise.reject(new Error('lost')), () => {
      continued = true;
    });
    await expect(result).rejects.toThrow('lost');
    expect(continued).toBe(false);
  });
});
