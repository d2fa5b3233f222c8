import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { filter, firstValueFrom, startWith, Subject } from 'rxjs';
import { loadConfig } from '../../../config/load.ts';
import type { BusMessage } from '../../../lib/bus/bus.ts';
import { systemClock } from '../../../lib/flow/clock.ts';
import type { ChangeResult, Join, Leave } from '../../../lib/membership/membership-store.ts';
import { RedisLink } from '../../../lib/redis/redis-link.ts';
import { createSharedStores, type SharedStores } from '../../../lib/shared-stores.ts';
import { Telemetry } from '../../../lib/telemetry/telemetry.ts';
import { type RedisServer, startRedis } from '../../support/redis.ts';

let redis: RedisServer;
let keyPrefixes = 0;
const nodes: Node[] = [];

beforeAll(async () => {
  redis = await startRedis({ appendonly: true, args: ['--appendfsync', 'always'] });
});
afterEach(() => closeAll());
afterAll(() => redis.stop());

/** A node's stores, and what its subscribers of one channel have been told. */
class Node {
  readonly stores: SharedStores;
  readonly #told$ = new Subject<void>();
  /** By channel. */
  readonly #members = new Map<string, Set<string>>();
  readonly #watched = new Map<string, boolean>();

  constructor(nodeId: string, keyPrefix: string) {
    const { config } = loadConfig({
      env: {},
      overrides: {
        apps: [{ id: 'app-1', key: 'key', secret: 'secret', watchlist: true }],
        cluster: { partitions: 2, renewMs: 200 },
        redis: { url: redis.url, keyPrefix },
      },
    });
    const telemetry = new Telemetry();
    const link = new RedisLink({ settings: config.redis!, partitions: 2, telemetry });
    const deliver = (message: BusMessage): void => this.#deliver(message);
    this.stores = createSharedStores(link, config, deliver, { clock: systemClock, telemetry, nodeId });
  }

  async join(socketId: string, channel: string, own: Partial<Join> = {}): Promise<ChangeResult> {
    const change = { kind: 'join', appId: 'app-1', channel, socketId, incarnation: 1 } as const;
    const [result] = await this.stores.membership.apply([
      { ...change, maxMembers: 0, counted: false, ...own },
    ]);
    return result!;
  }

  async leave(socketId: string, channel: string, own: Partial<Leave> = {}): Promise<ChangeResult> {
    const change = { kind: 'leave', appId: 'app-1', channel, socketId, incarnation: 1 } as const;
    const [result] = await this.stores.membership.apply([{ ...change, counted: false, ...own }]);
    return result!;
  }

  /** From here on it has subscribers of the channel. */
  async listen(channel: string): Promise<void> {
    this.stores.bus.setInterest('app-1', channel, true);
    await this.stores.bus.listening('app-1', channel);
    const { members } = await this.stores.membership.snapshot('app-1', channel);
    this.#members.set(channel, new Set(members.map(({ userId }) => userId)));
  }

  /** Until its subscribers of the channel have been told of these and nobody else. */
  async shows(channel: string, users: readonly string[]): Promise<void> {
    await this.until(() => String([...this.#of(channel)].sort()) === String([...users].sort()));
  }

  async until(isTrue: () => boolean): Promise<void> {
    await firstValueFrom(this.#told$.pipe(startWith(undefined), filter(isTrue)));
  }

  isWatchedOnline(userId: string): boolean | undefined {
    return this.#watched.get(userId);
  }

  #deliver(message: BusMessage): void {
    if (message.kind === 'user') this.#watched.set(message.userId, message.online);
    if (message.kind === 'membership') {
      for (const userId of message.removed) this.#of(message.channel).delete(userId);
      for (const { userId } of message.added) this.#of(message.channel).add(userId);
    }
    this.#told$.next();
  }

  #of(channel: string): Set<string> {
    const members = this.#members.get(channel) ?? new Set<string>();
    this.#members.set(channel, members);
    return members;
  }
}

const member = (userId: string) => ({ member: { userId, userInfoJson: `{"name":"${userId}"}` } });

/** Nodes that share a store of their own. */
async function open(): Promise<readonly [Node, Node]> {
  const prefix = `membership-${++keyPrefixes}:`;
  const pair = [new Node('aaaaaaaaaaaa', prefix), new Node('bbbbbbbbbbbb', prefix)] as const;
  nodes.push(...pair);
  await Promise.all(pair.map(async ({ stores }) => stores.open()));
  return pair;
}

async function closeAll(): Promise<void> {
  await Promise.all(nodes.splice(0).map(async ({ stores }) => stores.close()));
}

const isUp = (node: Node, up: boolean): Promise<boolean> =>
  firstValueFrom(node.stores.link.up$.pipe(filter((one) => one === up)));

describe('two nodes on one Redis', () => {
  test('have one membership: who joins at one is told and shown at the other', async () => {
    const [a, b] = await open();
    await Promise.all([a.listen('presence-x'), b.listen('presence-x')]);
    expect(await a.join('1.1', 'presence-x', member('ada'))).toMatchObject({ occupied: true });
    expect(await b.join('2.1', 'presence-x', member('bob'))).toMatchObject({ occupied: false });
    await Promise.all([a, b].map((node) => node.shows('presence-x', ['ada', 'bob'])));
    const expected = { members: [member('ada').member, member('bob').member] };
    for (const { stores } of [a, b]) {
      expect(await stores.membership.snapshot('app-1', 'presence-x')).toMatchObject(expected);
      expect(await stores.membership.channels('app-1', '')).toEqual([
        { channel: 'presence-x', subscriptions: 2, users: 2 },
      ]);
    }
    expect(await a.leave('1.1', 'presence-x')).toEqual({ kind: 'left', vacated: false });
    await b.shows('presence-x', ['bob']);
    expect(await b.leave('2.1', 'presence-x')).toEqual({ kind: 'left', vacated: true });
    expect(await a.stores.membership.channel('app-1', 'presence-x')).toBeUndefined();
  });

  test('take a user for who it is, whatever its name', async () => {
    const [a, b] = await open();
    const named = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
    const odd = fc.constantFrom(
      ':',
      '::a',
      'm:a:b',
      '0|1||-',
      '|',
      '-',
      '=',
      '\n',
      '\0',
      'a\0b',
      '"',
      '\\',
      '#n',
      '~',
      '{}',
    );
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.oneof(odd, named), { minLength: 1 }), async (users) => {
        const channel = `presence-${++run}`;
        const shown = users.map((userId) => ({ userId, userInfoJson: JSON.stringify({ userId }) }));
        await a.listen(channel);
        await Promise.all(shown.map((one, i) => a.join(`1.${i}`, channel, { member: one })));
        await b.listen(channel);
        const { members } = await b.stores.membership.snapshot('app-1', channel);
        const byName = [...members].sort((one, other) => (one.userId < other.userId ? -1 : 1));
        expect(byName).toEqual([...shown].sort((one, other) => (one.userId < other.userId ? -1 : 1)));
        await Promise.all(users.map((_, i) => a.leave(`1.${i}`, channel)));
        await Promise.all([a, b].map((node) => node.shows(channel, [])));
      }),
      { numRuns: 25 },
    );
  });

  test('let no more users into a channel than it may have, however many come at once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.nat(5), { maxLength: 16 }),
        async (max, users) => {
          const [a, b] = await open();
          const results = await Promise.all(
            users.map((user, i) =>
              [a, b][i % 2]!.join(`${i}.1`, 'presence-x', { ...member(`user-${user}`), maxMembers: max }),
            ),
          );
          const joined = users.filter((_, i) => results[i]!.kind === 'joined');
          expect(new Set(joined).size).toBe(Math.min(max, new Set(users).size));
          const there = await b.stores.membership.users('app-1', 'presence-x');
          expect([...there].sort()).toEqual([...new Set(joined)].map((user) => `user-${user}`).sort());
          await closeAll();
        },
      ),
      { numRuns: 15 },
    );
  });

  test('end with who is there, and show no one else, whoever came and went', async () => {
    const [a, b] = await open();
    const step = fc.record({ node: fc.nat(1), socket: fc.nat(5), isJoin: fc.boolean() });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
        const channel = `presence-${++run}`;
        await Promise.all([a.listen(channel), b.listen(channel)]);
        const present = new Map<string, string>();
        const answers = steps.map(({ node, socket, isJoin }, i) => {
          const socketId = `${node}.${socket}`;
          const user = `user-${socket % 3}`;
          const on = [a, b][node]!;
          if (isJoin) {
            present.set(socketId, user);
            return on.join(socketId, channel, { incarnation: i, ...member(user) });
          }
          const last = steps
            .slice(0, i)
            .findLastIndex((one) => one.node === node && one.socket === socket && one.isJoin);
          present.delete(socketId);
          return on.leave(socketId, channel, { incarnation: last });
        });
        await Promise.all(answers);
        const users = [...new Set(present.values())].sort();
        expect([...(await a.stores.membership.users('app-1', channel))].sort()).toEqual(users);
        await Promise.all([a, b].map((node) => node.shows(channel, users)));
      }),
      { numRuns: 25 },
    );
  });

  test('go on by themselves while Redis is away, and are one again when it is back', async () => {
    const [a, b] = await open();
    await Promise.all([a.listen('presence-x'), b.listen('presence-x')]);
    await a.join('1.1', 'presence-x', member('ada'));
    await b.join('2.1', 'presence-x', member('bob'));
    await Promise.all([a, b].map((node) => node.shows('presence-x', ['ada', 'bob'])));
    await redis.kill();
    const underWay = a.join('1.2', 'presence-x', member('cleo'));
    await Promise.all([isUp(a, false), isUp(b, false)]);
    expect(await underWay).toMatchObject({ kind: 'joined' });
    expect(await a.leave('1.1', 'presence-x')).toMatchObject({ kind: 'left' });
    expect(await b.join('2.2', 'presence-x', member('dan'))).toMatchObject({ kind: 'joined' });
    await a.shows('presence-x', ['bob', 'cleo']);
    await b.shows('presence-x', ['ada', 'bob', 'dan']);
    await redis.restart();
    const users = ['bob', 'cleo', 'dan'];
    await Promise.all([a, b].map((node) => node.shows('presence-x', users)));
    expect([...(await a.stores.membership.users('app-1', 'presence-x'))].sort()).toEqual(users);
    expect([a, b].map(({ stores }) => stores.membership.dirty)).toEqual([0, 0]);
  });

  test('tell all again when Redis has lost everything', async () => {
    const [a, b] = await open();
    await Promise.all([a.listen('presence-x'), b.listen('presence-x')]);
    await a.join('1.1', 'presence-x', member('ada'));
    await b.join('2.1', 'presence-x', member('bob'));
    await redis.cli('FLUSHALL');
    expect(await a.join('1.2', 'presence-x', member('cleo'))).toMatchObject({ kind: 'joined' });
    expect(await b.join('2.2', 'presence-x', member('dan'))).toMatchObject({ kind: 'joined' });
    const users = ['ada', 'bob', 'cleo', 'dan'];
    await Promise.all([a, b].map((node) => node.shows('presence-x', users)));
    expect([...(await b.stores.membership.users('app-1', 'presence-x'))].sort()).toEqual(users);
  });

  test('know who is signed in at either, and say so to those who watch', async () => {
    const [a, b] = await open();
    const ada = { appId: 'app-1', userId: 'ada' };
    const states = async ({ stores }: Node) => {
      const [state] = await stores.users.states('app-1', ['ada']);
      return state!.online;
    };
    await a.stores.users.apply([{ kind: 'sign-in', ...ada, socketId: '1.1' }]);
    await b.stores.users.apply([{ kind: 'sign-in', ...ada, socketId: '2.1' }]);
    await b.until(() => b.isWatchedOnline('ada') === true);
    await a.stores.users.apply([{ kind: 'sign-out', ...ada, socketId: '1.1' }]);
    expect([await states(a), await states(b), a.isWatchedOnline('ada')]).toEqual([true, true, true]);
    await b.stores.users.apply([{ kind: 'sign-out', ...ada, socketId: '2.1' }]);
    expect([await states(a), await states(b)]).toEqual([false, false]);
    await a.until(() => a.isWatchedOnline('ada') === false);
  });
});
