import { describe, expect, test } from '@jest/globals';
import { toEntries } from '../../../../lib/outbox/redis/entries.ts';

describe('an entry of the stream', () => {
  test('is an event of the lifecycle', () => {
    const fields = [
      'k',
      'member_added',
      'c',
      'presence-x',
      't',
      '17',
      'e',
      's.0-1',
      's',
      '2',
      'u',
      'a b',
      'x',
      'node_lost',
    ];
    const common = { appId: 'app-1', channel: 'presence-x', atMs: 17 };
    expect(toEntries('app-1', [['7-0', fields]])).toEqual([
      {
        number: 7,
        event: {
          ...{ kind: 'member_added', id: 's.0-1-2', ...common },
          ...{ userId: 'a b', epoch: 's.0-1', seq: 2, cause: 'node_lost' },
        },
      },
    ]);
  });

  test('of a channel has no user, and no cause when it is plainly what happened', () => {
    const fields = ['k', 'channel_occupied', 'c', 'x', 't', '17', 'e', 's.0-1', 's', '1'];
    expect(Object.keys(toEntries('app-1', [['1-0', fields]])[0]!.event).sort()).toEqual([
      'appId',
      'atMs',
      'channel',
      'epoch',
      'id',
      'kind',
      'seq',
    ]);
  });

  test('is any other event, as it was appended', () => {
    const rest = { id: 'n-1', event: 'client-said', data: '{"a":1}', socketId: '1.1' };
    const fields = ['k', 'client_event', 'c', 'x', 't', '17', 'j', JSON.stringify(rest)];
    expect(toEntries('app-1', [['3-0', fields]])).toEqual([
      { number: 3, event: { kind: 'client_event', appId: 'app-1', channel: 'x', atMs: 17, ...rest } },
    ]);
  });

  test('that is not understood is an error: the store is of another version', () => {
    expect(() => toEntries('app-1', [['1-0', ['k', 'channel_occupied']]])).toThrow('the store answered');
  });
});
