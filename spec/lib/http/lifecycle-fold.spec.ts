import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ApiRequest, ApiServices } from '../../../lib/http/api-request.ts';
import { lifecycleAfter } from '../../../lib/http/lifecycle-after.ts';
import { lifecycleSnapshot } from '../../../lib/http/lifecycle-snapshot.ts';
import { MemoryMembershipStore } from '../../../lib/membership/memory.ts';
import { MemoryOutbox } from '../../../lib/outbox/memory/memory-outbox.ts';
import { parseQuery } from '../../../lib/protocol/http-signature.ts';
import { LifecycleFold, type PageAnswer, type SnapshotAnswer } from '../../support/lifecycle-fold.ts';
import { ManualClock } from '../manual-clock.ts';

const appId = 'app-1';
const channels = ['presence-a', 'presence-b', 'room', 'presence-c'];
const sockets = ['1.1', '1.2', '1.3', '1.4', '1.5'];
/** Sockets 1 and 4 are one user's, and so are 2 and 5. */
const userOf = (socket: number): string => ['ada', 'bob', 'eve'][socket % 3] ?? '';

/** A membership store and its outbox, changed by joins and leaves, seen through the HTTP API. */
class Node {
  readonly #clock = new ManualClock();
  readonly outbox: MemoryOutbox;
  readonly #membership: MemoryMembershipStore;
  readonly #incarnations = new Map<string, number>();
  #incarnation = 0;

  constructor(graceMs: number) {
    this.outbox = new MemoryOutbox({
      clock: this.#clock,
      graceMs,
      partitions: 4,
      retainMs: 3_600_000,
      maxBytesPerApp: 10_000_000,
    });
    this.outbox.open([{ appId, id: 'all', takes: () => true }]);
    this.#membership = new MemoryMembershipStore(() => undefined, this.outbox.lifecycle);
  }

  join(socket: number, channel: string): void {
    const key = `${socket} ${channel}`;
    if (this.#incarnations.has(key)) return;
    this.#incarnations.set(key, ++this.#incarnation);
    const member = { userId: userOf(socket), userInfoJson: undefined };
    this.#membership.apply([
      {
        kind: 'join',
        appId,
        channel,
        socketId: sockets[socket] ?? '',
        incarnation: this.#incarnation,
        maxMembers: 0,
        counted: false,
        ...(channel.startsWith('presence-') ? { member } : {}),
      },
    ]);
  }

  leave(socket: number, channel: string): void {
    const key = `${socket} ${channel}`;
    const incarnation = this.#incarnations.get(key);
    if (incarnation === undefined) return;
    this.#incarnations.delete(key);
    const socketId = sockets[socket] ?? '';
    this.#membership.apply([{ kind: 'leave', appId, channel, socketId, incarnation, counted: false }]);
  }

  /** Occupied channels with their members, both in order of name. */
  get state(): LifecycleFold['state'] {
    return this.#membership
      .channels(appId, '')
      .map(({ channel }) => [channel, [...this.#membership.users(appId, channel)].sort()] as const)
      .sort(([one], [other]) => (one < other ? -1 : 1));
  }

  snapshot(): SnapshotAnswer {
    return this.#ask(lifecycleSnapshot, '') as SnapshotAnswer;
  }

  after(position: string, limit: number): PageAnswer {
    return this.#ask(lifecycleAfter, `after=${position}&limit=${limit}`) as PageAnswer;
  }

  #ask(endpoint: typeof lifecycleAfter, query: string): unknown {
    const request = { app: { id: appId }, query: parseQuery(query), names: [] };
    const services = { outbox: this.outbox };
    return endpoint(request as unknown as ApiRequest, services as unknown as ApiServices);
  }
}

type Step =
  | { readonly do: 'join' | 'leave'; readonly socket: number; readonly channel: string }
  /** Reads one page of the stream. */
  | { readonly do: 'read'; readonly limit: number }
  /** Every leave that waits for a return is told. */
  | { readonly do: 'settle' };

const change = fc.record({
  do: fc.constantFrom('join' as const, 'leave' as const),
  socket: fc.nat(sockets.length - 1),
  channel: fc.constantFrom(...channels),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: change },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('read' as const), limit: fc.integer({ min: 1, max: 5 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'settle' as const }) },
);

function act(node: Node, { do: what, socket, channel }: Extract<Step, { socket: number }>): void {
  if (what === 'join') node.join(socket, channel);
  else node.leave(socket, channel);
}

describe('a snapshot and the stream behind it', () => {
  test.each([0, 3_000])('fold to what is, with a grace of %i ms, whenever they are read', (graceMs) => {
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 60 }),
        fc.array(step, { maxLength: 120 }),
        (before, after) => {
          const node = new Node(graceMs);
          for (const one of before) act(node, one);
          const snapshot = node.snapshot();
          const fold = new LifecycleFold(snapshot);
          let { position } = snapshot;
          const read = (limit: number): boolean => {
            const page = node.after(position, limit);
            expect(page.events.length).toBeLessThanOrEqual(limit);
            for (const event of page.events) fold.apply(event);
            position = page.position;
            return page.has_more;
          };
          for (const one of after) {
            if (one.do === 'read') read(one.limit);
            else if (one.do === 'settle') node.outbox.settle();
            else act(node, one);
          }
          node.outbox.settle();
          while (read(3));
          node.outbox.close();
          expect(fold.state).toEqual(node.state);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('are what endpoints were told: a leave within its grace is not in the stream yet', () => {
    const node = new Node(3_000);
    node.join(0, 'presence-a');
    node.leave(0, 'presence-a');
    const { channels: told, position } = node.snapshot();
    expect(new LifecycleFold({ channels: told }).state).toEqual([['presence-a', ['ada']]]);
    expect(node.after(position, 10).events).toEqual([]);
    node.outbox.settle();
    expect(node.after(position, 10).events.map(({ name }) => name)).toEqual([
      'member_removed',
      'channel_vacated',
    ]);
    node.outbox.close();
  });

  test('of another store do not join: the position is gone', () => {
    const [one, other] = [new Node(0), new Node(0)];
    one.join(0, 'room');
    const { position } = one.snapshot();
    expect(() => other.after(position, 10)).toThrow('take a snapshot again');
    for (const node of [one, other]) node.outbox.close();
  });
});
