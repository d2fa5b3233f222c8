import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  cacheMiss,
  channelEvent,
  connectionEstablished,
  errorMessage,
  memberAdded,
  memberRemoved,
  pong,
  presenceData,
  presenceSucceeded,
  presenceSucceededFrom,
  signinSuccess,
  subscriptionCount,
  subscriptionError,
  subscriptionSucceeded,
  watchlistEvents,
} from '../../../lib/protocol/server-messages.ts';

interface Frame {
  readonly event: string;
  readonly channel?: string;
  readonly data: string;
  readonly user_id?: string;
}

interface Presence {
  readonly presence: {
    readonly count: number;
    readonly ids: readonly string[];
    readonly hash: Record<string, unknown>;
  };
}

const frameOf = (text: string) => JSON.parse(text) as Frame;
const dataOf = (text: string) => JSON.parse(frameOf(text).data) as unknown;
const presenceOf = (text: string) => (dataOf(text) as Presence).presence;

const awkward = 'quote " backslash \\ newline \n half \ud800 snow ☃';
const hostileIds = ['__proto__', 'constructor', 'hasOwnProperty', 'toString', '"', '\\', '10', '\ud800', ''];

const userId = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...hostileIds));
const userInfoJson = fc.option(
  fc.dictionary(fc.string(), fc.jsonValue()).map((info) => JSON.stringify(info)),
  { nil: undefined },
);
const members = fc.array(fc.tuple(userId, userInfoJson), { maxLength: 20 });

/** A frame that uses `text` in every place where a string goes. */
const everyFrame: readonly (readonly [name: string, encode: (text: string) => string])[] = [
  ['connectionEstablished', (text) => connectionEstablished(text, 120)],
  ['subscriptionSucceeded', subscriptionSucceeded],
  ['presenceSucceeded', (text) => presenceSucceeded(text, [[text, JSON.stringify({ text })]])],
  ['subscriptionError', (text) => subscriptionError(text, text, text, 401)],
  ['memberAdded', (text) => memberAdded(text, text, JSON.stringify({ text }))],
  ['memberRemoved', (text) => memberRemoved(text, text)],
  ['subscriptionCount', (text) => subscriptionCount(text, 1)],
  ['cacheMiss', cacheMiss],
  ['signinSuccess', signinSuccess],
  ['watchlistEvents', (text) => watchlistEvents([{ name: 'online', userIds: [text] }])],
  ['channelEvent', (text) => channelEvent(text, text, text, text)],
];

describe('frames without a channel', () => {
  it('1.2 establishes a connection with string-JSON', () => {
    const frame = connectionEstablished('1.2', 120);
    expect(frameOf(frame).event).toBe('pusher:connection_established');
    expect(dataOf(frame)).toEqual({ socket_id: '1.2', activity_timeout: 120 });
  });

  it.each([null, 4301])('2.1 reports an error with an object as data and code %j', (code) => {
    const frame: unknown = JSON.parse(errorMessage(awkward, code));
    expect(frame).toEqual({ event: 'pusher:error', data: { code, message: awkward } });
  });

  it('1.3 answers a ping', () => {
    expect(JSON.parse(pong())).toEqual({ event: 'pusher:pong', data: '{}' });
  });

  it('5 returns the user data of a sign-in unchanged', () => {
    const userData = '{ "id": "1",  "x": "\\u2603" }';
    expect(frameOf(signinSuccess(userData)).event).toBe('pusher:signin_success');
    expect(dataOf(signinSuccess(userData))).toEqual({ user_data: userData });
  });

  it('5 writes user_ids in watchlist events', () => {
    const frame = watchlistEvents([
      { name: 'online', userIds: ['a', 'b'] },
      { name: 'offline', userIds: ['c'] },
    ]);
    expect(frameOf(frame).event).toBe('pusher_internal:watchlist_events');
    expect(dataOf(frame)).toEqual({
      events: [
        { name: 'online', user_ids: ['a', 'b'] },
        { name: 'offline', user_ids: ['c'] },
      ],
    });
  });
});

describe('frames on a channel', () => {
  it.each([
    ['pusher_internal:subscription_succeeded', subscriptionSucceeded('c'), {}],
    [
      'pusher:subscription_error',
      subscriptionError('c', 'AuthError', 'no', 401),
      { type: 'AuthError', error: 'no', status: 401 },
    ],
    ['pusher_internal:member_added', memberAdded('c', '1', '{"a":1}'), { user_id: '1', user_info: { a: 1 } }],
    ['pusher_internal:member_added', memberAdded('c', '1', undefined), { user_id: '1' }],
    ['pusher_internal:member_removed', memberRemoved('c', '1'), { user_id: '1' }],
    ['pusher_internal:subscription_count', subscriptionCount('c', 3), { subscription_count: 3 }],
    ['pusher:cache_miss', cacheMiss('c'), {}],
  ])('2.1 sends %s with string-JSON', (event, frame, data) => {
    expect(frameOf(frame)).toEqual({ event, channel: 'c', data: frameOf(frame).data });
    expect(dataOf(frame)).toEqual(data);
  });

  it('2.1 delivers the published string verbatim', () => {
    const event = 'App\\Events\\X';
    expect(frameOf(channelEvent(event, 'c', awkward))).toEqual({ event, channel: 'c', data: awkward });
  });

  it.each(['7', '0', ''])('6 names the sending user %j at top level', (sender) => {
    expect(frameOf(channelEvent('client-x', 'presence-c', '{}', sender)).user_id).toBe(sender);
  });
});

describe('every frame', () => {
  it.each(everyFrame)('2.1 %s is a JSON object with string event and data, for any text', (_, encode) => {
    const anyText = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(awkward, ...hostileIds));
    fc.assert(
      fc.property(anyText, (text) => {
        const frame = frameOf(encode(text));
        expect(typeof frame.event).toBe('string');
        expect(typeof frame.data).toBe('string');
        expect(['event', 'channel', 'data', 'user_id']).toEqual(expect.arrayContaining(Object.keys(frame)));
      }),
    );
  });

  it.each(everyFrame)('2.1 %s survives UTF-8 when a text holds half a surrogate pair', (_, encode) => {
    const frame = encode('\udc00');
    expect(Buffer.from(frame).toString()).toBe(frame);
  });
});

describe('presence snapshots', () => {
  it('3.3 sends an object as hash even when nobody is there', () => {
    expect(presenceOf(presenceSucceeded('presence-c', []))).toEqual({ count: 0, ids: [], hash: {} });
  });

  it('3.3 writes null for a member without info', () => {
    expect(presenceOf(presenceSucceeded('presence-c', [['1', undefined]])).hash).toEqual({ '1': null });
  });

  it('3.3 keeps hostile user ids as own keys', () => {
    const snapshot = presenceSucceeded(
      'presence-c',
      hostileIds.map((id) => [id, JSON.stringify({ id })] as const),
    );
    const { count, ids, hash } = presenceOf(snapshot);
    expect(count).toBe(hostileIds.length);
    expect(ids).toEqual(hostileIds);
    for (const id of hostileIds) expect(Object.getOwnPropertyDescriptor(hash, id)?.value).toEqual({ id });
  });

  it('3.3 agrees in count, ids and hash for any members, also repeated ones', () => {
    fc.assert(
      fc.property(members, (list) => {
        const expected = new Map(list);
        const { count, ids, hash } = presenceOf(presenceSucceeded('presence-c', list));
        expect(count).toBe(expected.size);
        expect(ids).toEqual([...expected.keys()]);
        expect(Object.keys(hash).sort()).toEqual([...expected.keys()].sort());
        for (const [id, json] of expected) {
          const info = JSON.stringify(Object.getOwnPropertyDescriptor(hash, id)?.value);
          expect(info).toBe(JSON.stringify(JSON.parse(json ?? 'null')));
        }
      }),
    );
  });

  it('3.3 gives the same frame from members that were encoded before', () => {
    fc.assert(
      fc.property(members, (list) => {
        expect(presenceSucceededFrom('presence-c', presenceData(list))).toBe(
          presenceSucceeded('presence-c', list),
        );
      }),
    );
  });

  it('3.3 takes the members from a Map', () => {
    const map = new Map([['1', '{"a":1}']]);
    expect(presenceOf(presenceSucceeded('presence-c', map))).toEqual({
      count: 1,
      ids: ['1'],
      hash: { '1': { a: 1 } },
    });
  });
});
