import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { createMemoryStores } from '../../../lib/stores.ts';
import { createLateStores } from '../../support/late-stores.ts';
import { type Client, runNode } from '../../pipelines/running-node.ts';

const room = 'presence-room';
const users = ['a', 'b', 'c'] as const;
const sockets = 5;
/** Shorter and longer than the late stores take for a snapshot. */
const windows = fc.constantFrom(2, 20);

const step = fc.record({
  do: fc.constantFrom('join', 'join', 'leave', 'close', 'flap', 'wait', 'wait'),
  socket: fc.nat(sockets - 1),
  user: fc.constantFrom(...users),
  ms: fc.nat(70),
});

/**
 * What one client makes of its frames: the members, from each success on. A change that is none, or one before a success,
 * is a mistake.
 */
class Observer {
  members: Set<string> | undefined = undefined;
  readonly mistakes: string[] = [];

  take(text: string): void {
    const frame = JSON.parse(text) as {
      readonly event: string;
      readonly channel?: string;
      readonly data: string;
    };
    if (frame.channel !== room) return;
    const data = JSON.parse(frame.data) as {
      readonly presence?: { readonly ids: readonly string[] };
      readonly user_id: string;
    };
    if (data.presence !== undefined) this.members = new Set(data.presence.ids);
    else if (!this.#change(frame.event, data.user_id)) this.mistakes.push(text);
  }

  #change(event: string, userId: string): boolean {
    if (this.members === undefined) return false;
    if (event.endsWith('member_removed')) return this.members.delete(userId);
    if (!event.endsWith('member_added') || this.members.has(userId)) return false;
    this.members.add(userId);
    return true;
  }
}

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

describe.each([
  ['prompt', () => createMemoryStores],
  ['late', (seed: number) => createLateStores(seed)],
])('with %s stores', (_, createStores) => {
  test('snapshot and member frames of every observer fold to the members, each change told once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 50 }),
        fc.nat(10_000),
        windows,
        async (steps, seed, announceWindowMs) => {
          const node = runNode({
            config: { cleanup: { batchSize: 3, batchWindowMs: 10, announceWindowMs } },
            createStores: createStores(seed),
          });
          const wait = async (ms: number): Promise<void> => {
            node.clock.advance(ms);
            await jest.advanceTimersByTimeAsync(ms);
          };
          const everybody: Observer[] = [];
          const clients = new Map<
            number,
            { readonly client: Client; readonly observer: Observer; wants?: string }
          >();
          const clientOf = async (socket: number) => {
            const known = clients.get(socket);
            if (known !== undefined) return known;
            const client = node.open();
            const opened: { readonly client: Client; readonly observer: Observer; wants?: string } = {
              client,
              observer: new Observer(),
            };
            client.transport.onWrite = (texts) => {
              for (const text of texts) opened.observer.take(text);
            };
            clients.set(socket, opened);
            everybody.push(opened.observer);
            while (client.transport.connection === undefined) await wait(1);
            return opened;
          };
          for (const { do: what, socket, user, ms } of steps) {
            const one = await clientOf(socket);
            if (what === 'join' && one.wants === undefined) {
              one.client.subscribe(room, user);
              one.wants = user;
            }
            if (what === 'leave' && one.wants !== undefined) {
              one.client.unsubscribe(room);
              delete one.wants;
            }
            if (what === 'flap' && one.wants !== undefined) {
              one.client.unsubscribe(room);
              one.client.subscribe(room, one.wants);
            }
            if (what === 'close') {
              node.close(one.client);
              clients.delete(socket);
            }
            if (what === 'wait') await wait(ms);
          }
          await wait(0);
          for (let i = 0; i < 60; i++) await wait(50);
          const present = [...clients.values()].filter(({ wants }) => wants !== undefined);
          const members = new Set(present.map(({ wants }) => wants));
          for (const { observer } of present) expect(observer.members).toEqual(members);
          expect(everybody.flatMap(({ mistakes }) => mistakes)).toEqual([]);
          expect([node.parts.announcer.pending, node.parts.welcomes.waiting]).toEqual([0, 0]);
        },
      ),
      { numRuns: 60 },
    );
  });
});
