import { describe, expect, test } from '@jest/globals';
import { Deferred } from '../../../../lib/stages/message/deferred.ts';
import { isPromise } from '../../../../lib/flow/maybe-promise.ts';

describe('a result that is given before it is asked for', () => {
  test('is there at once', () => {
    const deferred = new Deferred<number>();
    deferred.resolve(7);
    expect(deferred.result()).toBe(7);
  });

  test('is thrown when it is an error', () => {
    const deferred = new Deferred<number>();
    deferred.reject(new Error('away'));
    expect(() => deferred.result()).toThrow('away');
  });

  test('is the first one given', () => {
    const deferred = new Deferred<number>();
    deferred.resolve(1);
    deferred.resolve(2);
    deferred.reject(new Error('away'));
    expect(deferred.result()).toBe(1);
  });

  test('may be undefined', () => {
    const deferred = new Deferred<undefined>();
    deferred.resolve(undefined);
    expect(deferred.result()).toBeUndefined();
  });
});

describe('a result that is asked for before it is given', () => {
  test('is a promise of it', async () => {
    const deferred = new Deferred<number>();
    const result = deferred.result();
    deferred.resolve(7);
    expect([isPromise(result), await result]).toEqual([true, 7]);
  });

  test('is a promise that rejects when it is an error', async () => {
    const deferred = new Deferred<number>();
    const result = Promise.resolve(deferred.result());
    deferred.reject(new Error('away'));
    await expect(result).rejects.toThrow('away');
  });

  test('is the first one given', async () => {
    const deferred = new Deferred<number>();
    const result = deferred.result();
    deferred.resolve(1);
    deferred.reject(new Error('away'));
    expect(await result).toBe(1);
  });
});
