import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { connect, type TestClient } from '../support/client.ts';
import { overStoresExcept, room, type Started } from '../conformance/each-store.ts';
import { type Client, runNode } from '../pipelines/running-node.ts';

const observers = 20;
const succeeded = 'pusher_internal:subscription_succeeded';
const memberAdded = 'pusher_internal:member_added';
const memberRemoved = 'pusher_internal:member_removed';

/** What the server has spent so far. */
function spent({ fanout, announcer, welcomes }: Started['running']['parts']) {
  return {
    encoded: fanout.encoded,
    writes: fanout.writes,
    passes: announcer.passes,
    inlinePasses: announcer.inlinePasses,
    snapshots: welcomes.snapshots,
  };
}
type Spent = ReturnType<typeof spent>;

const between = (before: Spent, after: Spent): Spent => ({
  encoded: after.encoded - before.encoded,
  writes: after.writes - before.writes,
  passes: after.passes - before.passes,
  inlinePasses: after.inlinePasses - before.inlinePasses,
  snapshots: after.snapshots - before.snapshots,
});

const userOf = (data: unknown): string => (JSON.parse(String(data)) as { readonly user_id: string }).user_id;

// Without short cuts each frame of a pass goes out by itself: a million of them.
overStoresExcept(['general'], (start) => {
  const members = 1_000;

  async function removalsSeen(observer: TestClient): Promise<readonly string[]> {
    const seen: string[] = [];
    while (seen.length < members) seen.push(userOf((await observer.waitFor(memberRemoved)).data));
    const rest = await observer.drain();
    return [...seen, ...rest.filter(({ event }) => event === memberRemoved).map(({ data }) => userOf(data))];
  }

  it('a thousand members that join and leave at once are told in passes, not one by one', async () => {
    const server = await start({ app: { presence: { maxMembers: 0 } } });
    const { parts } = server.running;
    const channel = room('presence-');
    const staying = await Promise.all(Array.from({ length: observers }, () => connect(server)));
    await Promise.all(staying.map((one, i) => one.subscribed(channel, { user_id: `observer-${i}` })));
    const crowd = await Promise.all(Array.from({ length: members }, () => connect(server)));

    const empty = spent(parts);
    await Promise.all(crowd.map((one, i) => one.subscribed(channel, { user_id: `user-${i}` })));
    const joined = between(empty, spent(parts));
    expect(joined.snapshots).toBeLessThanOrEqual(members / 10);
    for (const one of staying) {
      const added = new Set<string>();
      while (added.size < members) {
        const userId = userOf((await one.waitFor(memberAdded)).data);
        if (userId.startsWith('user-')) added.add(userId);
      }
    }

    const full = spent(parts);
    for (const one of crowd) one.terminate();
    const seen = await Promise.all(staying.map(removalsSeen));
    const users = Array.from({ length: members }, (_, i) => `user-${i}`).sort();
    for (const removed of seen) expect([...removed].sort()).toEqual(users);
    const left = between(full, spent(parts));
    // Sockets that are on their way out are written to until the server has seen them go.
    expect(left.encoded).toBeLessThanOrEqual(members);
  }, 60_000);
});

describe('a presence channel without sockets', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it.each([1_000, 5_000, 10_000])(
    'of %d members costs members + passes x sockets when all of them leave',
    async (members) => {
      const node = runNode({ app: { presence: { maxMembers: 0 } } });
      const { parts } = node;
      const channel = 'presence-crowd';
      const wait = async (ms: number): Promise<void> => {
        node.clock.advance(ms);
        await jest.advanceTimersByTimeAsync(ms);
      };
      const join = (userId: string): Client => {
        const client = node.open();
        client.transport.take();
        client.subscribe(channel, userId);
        return client;
      };
      const staying = Array.from({ length: observers }, (_, i) => join(`observer-${i}`));
      await wait(200);
      const empty = spent(parts);
      const crowd = Array.from({ length: members }, (_, i) => {
        const client = node.open();
        // Nobody looks at what the crowd is sent: it would be members x members.
        client.transport.write = () => undefined;
        client.subscribe(channel, `user-${i}`);
        return client;
      });
      await wait(1_000);
      const joined = between(empty, spent(parts));
      expect([parts.subscriptions.size, joined.snapshots <= 5]).toEqual([observers + members, true]);
      for (const { told } of staying) expect(told[0]).toBe(`${succeeded} ${channel}`);

      for (const { transport } of staying) transport.take();
      const full = spent(parts);
      for (const client of crowd) node.close(client);
      await wait(5_000);
      const left = between(full, spent(parts));
      const users = crowd.map((_, i) => `user-${i}`).sort();
      for (const { transport } of staying) {
        const frames = transport.frames.map(
          (text) => JSON.parse(text) as { readonly event: string; readonly data: string },
        );
        expect(frames.every(({ event }) => event === memberRemoved)).toBe(true);
        expect(frames.map(({ data }) => userOf(data)).sort()).toEqual(users);
      }
      expect(left.encoded).toBe(members);
      expect(left.writes).toBeLessThanOrEqual(left.passes * observers);
      expect(left.encoded + left.writes).toBeLessThanOrEqual(members + left.passes * observers);
      expect(left.inlinePasses).toBe(0);
      process.stdout.write(
        `presence-crowd members=${members} join: snapshots=${joined.snapshots} passes=${joined.passes}` +
          ` leave: encoded=${left.encoded} writes=${left.writes} passes=${left.passes}\n`,
      );
    },
    60_000,
  );
});
