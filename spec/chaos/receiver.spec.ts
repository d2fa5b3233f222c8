import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ToldEvent } from '../support/journal.ts';
import { type Behaviour, ok, picky, type Receiver, startReceiver } from '../support/receiver.ts';
import { ourApp, signedRequest } from './signed-request.ts';

let receiver: Receiver;
beforeEach(async () => {
  receiver = await startReceiver(ourApp);
});
afterEach(() => receiver.stop());

function told(channel: string): ToldEvent {
  return { name: 'channel_occupied', channel, id: `id-${channel}`, seq: 1, prev_seq: 0, epoch: 'e' };
}

/** Posts one event on a connection of its own; answers the status, or how it failed. */
function post(channel: string, options: { readonly url?: string; readonly withinMs?: number } = {}) {
  const { headers, body } = signedRequest(ourApp, `msg_${channel}`, [told(channel)]);
  return new Promise<number | string>((resolve) => {
    const outgoing = request(
      options.url ?? receiver.url,
      { method: 'POST', headers, agent: false, signal: AbortSignal.timeout(options.withinMs ?? 5_000) },
      (incoming) => {
        incoming.once('error', () => undefined);
        incoming.once('data', () => incoming.destroy());
        resolve(incoming.statusCode ?? 0);
      },
    );
    outgoing.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.name));
    outgoing.end(body);
  });
}

const behaviours: readonly (readonly [name: string, Behaviour, answer: number | string, isTaken: boolean])[] =
  [
    ['ok', ok, 200, true],
    ['reset', { kind: 'reset' }, 'ECONNRESET', false],
    ['status 503', { kind: 'status', status: 503 }, 503, false],
    ['status 204', { kind: 'status', status: 204 }, 204, true],
    ['huge', { kind: 'huge' }, 200, true],
    ['slow', { kind: 'slow', ms: 20 }, 200, true],
    ['die', { kind: 'die' }, 'ECONNRESET', true],
    ['redirect', { kind: 'redirect' }, 302, false],
  ];

describe('the receiver', () => {
  test.each(behaviours)(
    'told to be %s, answers so and says what it took',
    async (_, behaviour, answer, isTaken) => {
      await receiver.behave(behaviour);
      expect(await post('a')).toBe(answer);
      const { attempts, taken } = receiver.journal;
      expect(attempts.map(({ webhookId, objections }) => [webhookId, objections])).toEqual([['msg_a', []]]);
      expect(taken).toEqual(isTaken ? attempts : []);
    },
  );

  test('told to hang, never answers', async () => {
    await receiver.behave({ kind: 'hang' });
    expect(await post('a', { withinMs: 50 })).toBe('ABORT_ERR');
    expect([receiver.journal.attempts.length, receiver.journal.taken.length]).toEqual([1, 0]);
  });

  test('told to refuse, has no listener until it is told otherwise, and keeps its port', async () => {
    const { url } = receiver;
    await receiver.behave({ kind: 'refuse' });
    expect(await post('a', { url })).toBe('ECONNREFUSED');
    await receiver.behave(ok);
    expect(await post('b', { url })).toBe(200);
    expect(receiver.journal.told()).toEqual(['channel_occupied']);
  });

  test('told to be picky, refuses what holds a certain event and takes the rest', async () => {
    await receiver.behave(picky(({ channel }) => channel === 'b'));
    expect([await post('a'), await post('b'), await post('c')]).toEqual([200, 422, 200]);
    expect(receiver.journal.events.map(({ channel }) => channel)).toEqual(['a', 'c']);
  });

  test('sends no more of a gigabyte than its caller takes', async () => {
    await receiver.behave({ kind: 'huge' });
    await post('a');
    expect(receiver.hugeBytesSent).toBeGreaterThan(0);
    expect(receiver.hugeBytesSent).toBeLessThan(50_000_000);
  });

  test('keeps apart what comes to another path', async () => {
    expect(await post('a', { url: receiver.url.replace('/webhooks', '/elsewhere') })).toBe(404);
    expect([receiver.strays, receiver.journal.attempts]).toEqual([['POST /elsewhere'], []]);
  });

  test('wakes those who wait for its journal', async () => {
    const both = receiver.journal.until(({ eventCount }) => eventCount === 2);
    await Promise.all([post('a'), post('b')]);
    await both;
    expect(receiver.journal.eventCount).toBe(2);
    await receiver.journal.until(({ eventCount }) => eventCount === 2);
  });
});
