import { describe, expect, it } from '@jest/globals';
import { ReplyError } from 'ioredis';
import { isReadOnly, isTimeout, toStoreError } from '../../../lib/redis/store-errors.ts';
import { StoreAway } from '../../../lib/redis/store-link.ts';

const replyError = (message: string): Error => new (ReplyError as new (message: string) => Error)(message);

describe('what a failed call means', () => {
  it.each([
    'LOADING Redis is loading the dataset in memory',
    "READONLY You can't write against a read only replica.",
    'NOREPLICAS Not enough good replicas to write.',
    'CLUSTERDOWN The cluster is down',
    'NOPERM this user has no permissions to access one of the keys used as arguments',
    "OOM command not allowed when used memory > 'maxmemory'.",
    'ERR Error running script (call to f_1): @user_script: 3: -OOM command not allowed',
  ])('not now: %s', (message) => {
    expect(toStoreError(replyError(message))).toEqual(new StoreAway(message));
  });

  it.each(['Connection is closed.', 'Command timed out', "Stream isn't writeable"])(
    'no answer: %s',
    (message) => {
      expect(toStoreError(new Error(message))).toEqual(new StoreAway(message));
    },
  );

  it.each(['ERR user_script:3: attempt to index a nil value', 'WRONGTYPE Operation against a key'])(
    'the script itself: %s',
    (message) => {
      const thrown = Object.assign(replyError(message), { command: { name: 'eval', args: ['secret'] } });
      expect(toStoreError(thrown)).toBe(thrown);
      expect(thrown).not.toHaveProperty('command');
    },
  );

  it('timeouts and servers that are no master are told apart', () => {
    expect(isTimeout(toStoreError(new Error('Command timed out')))).toBe(true);
    expect(isTimeout(toStoreError(new Error('Connection is closed.')))).toBe(false);
    expect(isReadOnly(toStoreError(replyError("READONLY You can't write")))).toBe(true);
  });
});
