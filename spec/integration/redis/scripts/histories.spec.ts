import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AnnouncementFold, OutboxFold } from './folds.ts';
import { type Group, Holder, outlive } from './holder.ts';
import { type Action, LocalNode } from './local-node.ts';
import { app, openScriptStore, type ScriptStore } from './script-store.ts';

const rooms = ['room-1', 'presence-1', 'presence-2'];
const allUsers = ['ada', 'bob', 'eve'];
const nodeCount = 3;

interface Call {
  readonly channel: string;
  readonly actions: readonly Action[];
  /** Only for a single join: users the channel may have. */
  readonly max: number;
}

type Command =
  | {
      readonly kind: 'batch';
      readonly node: number;
      readonly graceMs: number;
      readonly calls: readonly Call[];
    }
  | { readonly kind: 'again'; readonly node: number }
  | { readonly kind: 'die'; readonly node: number }
  | { readonly kind: 'elapse'; readonly ms: number }
  | { readonly kind: 'forget' }
  | { readonly kind: 'fire'; readonly node: number; readonly max: number };

interface Node {
  holder: Holder;
  local: LocalNode;
  last: { readonly groups: readonly Group[]; readonly replies: readonly unknown[] } | undefined;
}

/** Some nodes, and what is true: the sum of what they have. */
class History {
  readonly outbox = new OutboxFold();
  readonly announcements = new AnnouncementFold();
  readonly nodes: Node[] = [];
  readonly #store: ScriptStore;
  #incarnation = 0;

  constructor(store: ScriptStore) {
    this.#store = store;
  }

  async begin(): Promise<void> {
    await this.#store.reset();
    for (let index = 0; index < nodeCount; index++) this.nodes.push(await this.#newNode(index));
  }

  async run(command: Command): Promise<void> {
    switch (command.kind) {
      case 'batch':
        await this.#batch(this.nodes[command.node]!, command);
        break;
      case 'again':
        await this.#again(this.nodes[command.node]!);
        break;
      case 'die':
        await this.#die(command.node);
        break;
      case 'elapse':
        this.#store.shiftMs += command.ms;
        await Promise.all(this.nodes.map(({ holder }) => holder.renew()));
        break;
      case 'forget':
        await this.#forget();
        break;
      case 'fire':
        expect((await this.nodes[command.node]!.holder.fire({ max: command.max }))[0]).toBe('OK');
        break;
    }
    this.announcements.take(await this.#store.announced());
    this.outbox.take(await this.#store.entries());
  }

  subscriptions(channel: string): number {
    return this.nodes.reduce((sum, { local }) => sum + local.subscriptions(channel), 0);
  }

  users(channel: string): readonly string[] {
    return [...new Set(this.nodes.flatMap(({ local }) => [...local.users(channel)]))].sort();
  }

  async #batch(node: Node, { calls, graceMs }: Command & { kind: 'batch' }): Promise<void> {
    const groups: Group[] = [];
    const expected: string[] = [];
    const refusedOf = new Map<string, number>();
    for (const { channel, actions, max } of calls) {
      const [only] = actions;
      const joins = actions.length === 1 && only?.kind === 'join' ? only.user : undefined;
      const present = this.users(channel);
      const others = this.nodes.filter((other) => other !== node && other.local.subscriptions(channel) > 0);
      const limit = joins === undefined ? 0 : max;
      const isFull = limit > 0 && present.length >= limit && !present.includes(joins!);
      const counting = refusedOf.get(channel) ?? 0;
      const flags = channel === 'room-1' ? 1 : 0;
      groups.push(node.local.does(channel, actions, { flags, max: limit, counting }));
      if (isFull) {
        node.local.undo(channel, joins!);
        refusedOf.set(channel, counting + 1);
      }
      expected.push(`${others.length} ${isFull ? '0' : '-'}`);
    }
    const [word, , ...replies] = await node.holder.apply(groups, { graceMs });
    expect([word, replies.map((reply) => String(reply).replace(/^\d+ /, ''))]).toEqual(['OK', expected]);
    node.last = { groups, replies };
  }

  async #again(node: Node): Promise<void> {
    const { batch } = node.holder;
    expect((await node.holder.apply([], { batch: batch + 2 })).slice(0, 2)).toEqual(['GAP', batch]);
    if (node.last === undefined) return;
    const [word, , ...replies] = await node.holder.apply(node.last.groups, { batch });
    expect([word, replies]).toEqual(['DUP', node.last.replies]);
  }

  /** The others notice that its lease ran out, and race for what it leaves. It is back with nothing, under another name. */
  async #die(index: number): Promise<void> {
    const dead = this.nodes[index]!;
    const others = this.nodes.filter((node) => node !== dead);
    await Promise.all(this.nodes.map(({ holder }) => holder.renew()));
    await outlive(this.#store, ...others.map(({ holder }) => holder));
    await Promise.all(others.map(({ holder }) => holder.renew()));
    await Promise.all(others.map(({ holder }) => reapAll(holder, dead.holder.name)));
    expect(await dead.holder.apply([])).toEqual(['FENCED']);
    this.nodes[index] = await this.#newNode(index);
  }

  /** As if the retention of what was told vacated were over. */
  async #forget(): Promise<void> {
    for (const channel of rooms) {
      const key = this.#store.key('c', app, channel);
      if ((await this.#store.redis.pttl(key)) < 0) continue;
      await this.#store.redis.del(key);
      this.announcements.mayJump(channel);
    }
  }

  async #newNode(index: number): Promise<Node> {
    const holder = new Holder(this.#store, `n${index}.${++this.#incarnation}`);
    await holder.renew();
    return { holder, local: new LocalNode(), last: undefined };
  }
}

async function reapAll(reaper: Holder, dead: string): Promise<void> {
  for (;;) {
    const [word, left] = await reaper.reap(dead, { max: 2 });
    if (word === 'GONE' || left === 0) return;
    expect(word).toBe('OK');
  }
}

function callsOf(channel: string): fc.Arbitrary<Call> {
  const user = channel.startsWith('presence') ? fc.constantFrom(...allUsers) : fc.constant(undefined);
  const join = fc.record({ kind: fc.constant('join' as const), user });
  const leave = fc.record({ kind: fc.constant('leave' as const), index: fc.nat(5) });
  const actions = fc.array(fc.oneof(join, leave), { minLength: 1, maxLength: 4 });
  return fc.record({ channel: fc.constant(channel), actions, max: fc.constantFrom(0, 0, 1, 2) });
}

const node = fc.nat(nodeCount - 1);
const batch = fc.record({
  kind: fc.constant('batch' as const),
  node,
  graceMs: fc.constantFrom(3_000, 3_000, 0),
  calls: fc.array(fc.oneof(...rooms.map(callsOf)), { minLength: 1, maxLength: 4 }),
});
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 12, arbitrary: batch },
  fc.record({ kind: fc.constant('again' as const), node }),
  fc.record({ kind: fc.constant('die' as const), node }),
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('elapse' as const), ms: fc.constantFrom(500, 1_500, 4_000) }),
  },
  fc.record({ kind: fc.constant('forget' as const) }),
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('fire' as const), node, max: fc.constantFrom(1, 3, 256) }),
  },
);

describe('any history of batches, deaths and graces', () => {
  let store: ScriptStore;
  let close: () => Promise<void>;
  beforeAll(async () => {
    ({ store, close } = await openScriptStore());
  });
  afterAll(() => close());

  test('leaves the store, its subscribers and those outside with what is true', async () => {
    const histories = fc.asyncProperty(
      fc.array(command, { minLength: 1, maxLength: 40 }),
      async (commands) => {
        const history = new History(store);
        await history.begin();
        for (const each of commands) await history.run(each);
        for (const channel of rooms) {
          const [subscriptions, users] = [history.subscriptions(channel), history.users(channel)];
          expect(await store.run('channel', app, channel)).toEqual(['OK', subscriptions, users.length]);
          expect((await store.run('users', app, channel)).slice(1).sort()).toEqual(users);
          expect(history.announcements.users(channel)).toEqual(users);
        }
        expect(history.announcements.count('room-1') ?? 0).toBe(history.subscriptions('room-1'));
        expect((await history.nodes[0]!.holder.fire({ all: true }))[2]).toBe(0);
        history.outbox.take(await store.entries());
        expect(history.outbox.occupied()).toEqual(
          rooms.filter((channel) => history.subscriptions(channel) > 0).sort(),
        );
        for (const channel of rooms) expect(history.outbox.users(channel)).toEqual(history.users(channel));
      },
    );
    await fc.assert(histories, { numRuns: 120 });
  });
});
