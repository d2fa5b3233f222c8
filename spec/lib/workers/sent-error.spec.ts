import { describe, expect, test } from '@jest/globals';
import { SpillwayError } from '../../../lib/errors/spillway-error.ts';
import { fromSent, toSent } from '../../../lib/workers/sent-error.ts';

const sent = (thrown: unknown): Error => fromSent(structuredClone(toSent(thrown)));

describe('an error that is sent', () => {
  test('of the catalogue is one again', () => {
    const error = new SpillwayError('admin.no-endpoint', { appId: 'shop' });
    const arrived = sent(error);
    expect(arrived).toBeInstanceOf(SpillwayError);
    expect(arrived).toMatchObject({ code: error.code, details: error.details, message: error.message });
  });

  test('of any kind keeps its message and its stack', () => {
    const error = new TypeError('no such thing', { cause: () => 'cannot be sent' });
    expect(sent(error)).toMatchObject({ message: 'no such thing', stack: error.stack });
  });

  test('that is no error becomes one', () => {
    expect(sent('a word')).toMatchObject({ message: 'a word' });
  });
});
