import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { MemoryMembershipStore } from '../../../../lib/membership/memory.ts';
import type { LifecycleRecorder } from '../../../../lib/membership/lifecycle-recorder.ts';
import type { ChangeResult, MembershipChange } from '../../../../lib/membership/membership-store.ts';
import type { Group } from '../../../../lib/cluster/group-source.ts';
import { GroupModel } from './group-model.ts';
import { join, leave, openNode } from './open-node.ts';

const channels = ['presence-x', 'presence-y'] as const;
const change = fc.record({
  kind: fc.constantFrom('join', 'join', 'leave', 'stale leave'),
  socket: fc.nat(3),
  channel: fc.constantFrom(...channels),
  user: fc.constantFrom('ada', 'bob', 'cleo', undefined),
});
type Change = Omit<typeof change extends fc.Arbitrary<infer C> ? C : never, 'user'> & {
  readonly user: string | undefined;
};

/** Turns what is drawn into changes with the incarnations that a server would give. */
function numbering(maxMembers: number, socketsOf: string) {
  const incarnations = new Map<string, number>();
  return ({ kind, socket, channel, user }: Change): MembershipChange => {
    const socketId = `${socketsOf}.${socket}`;
    const key = `${channel} ${socketId}`;
    const incarnation = (incarnations.get(key) ?? 0) + (kind === 'join' ? 1 : 0);
    incarnations.set(key, incarnation);
    if (kind !== 'join') {
      return leave(socketId, { channel, incarnation: kind === 'leave' ? incarnation : incarnation - 1 });
    }
    const own = user === undefined ? {} : { user };
    return join(socketId, { channel, incarnation, maxMembers, ...own });
  };
}

const nothing = (): void => undefined;
const noLifecycle: LifecycleRecorder = {
  occupied: nothing,
  vacated: nothing,
  memberAdded: nothing,
  memberRemoved: nothing,
  counted: nothing,
};

function withoutVersion(result: ChangeResult): unknown {
  return result.kind === 'joined' ? { kind: 'joined', occupied: result.occupied } : result;
}

function stateOf(memory: MemoryMembershipStore) {
  const summaries = memory.channels('app-1', '').map(({ channel, subscriptions }) => {
    return [channel, { subscriptions, users: [...memory.users('app-1', channel)].sort() }] as const;
  });
  return Object.fromEntries([...summaries].sort());
}

describe('membership on a store that is asked in batches', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  test('answers and ends like membership in memory, however it is batched', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(change, { minLength: 1, maxLength: 4 }), { maxLength: 25, size: 'max' }),
        fc.array(fc.nat(4), { minLength: 1 }),
        fc.integer({ min: 0, max: 2 }),
        async (drawn, rooms, maxMembers) => {
          const model = new GroupModel();
          const node = openNode(model);
          const memory = new MemoryMembershipStore(nothing, noLifecycle);
          const number = numbering(maxMembers, '1');
          const calls = drawn.map((changes) => changes.map(number));
          const answers = calls.map((changes, i) => {
            const answer = node.store.apply(changes);
            const size = rooms[i % rooms.length]!;
            if (size > 0) node.send(size);
            return answer;
          });
          node.drain(1 + rooms[0]!);
          const results = await Promise.all(answers.map((answer) => Promise.resolve(answer)));
          const expected = calls.map((changes) => memory.apply(changes));
          expect(results.map((one) => one.map(withoutVersion))).toEqual(
            expected.map((one) => one.map(withoutVersion)),
          );
          for (const name of channels) {
            expect(await node.store.channel('app-1', name)).toEqual(memory.channel('app-1', name));
          }
          jest.advanceTimersByTime(1_000);
          node.drain();
          expect(model.state()).toEqual(stateOf(memory));
        },
      ),
      { numRuns: 200 },
    );
  });

  test('of two nodes answers like membership in memory, in the order in which the store takes their batches', async () => {
    const step = fc.record({ node: fc.nat(1), change, size: fc.nat(3), isAnswered: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }),
        fc.nat(2),
        async (steps, maxMembers) => {
          const model = new GroupModel();
          const memory = new MemoryMembershipStore(nothing, noLifecycle);
          const nodes = ['a', 'b'].map((id) => ({
            ...openNode(model, { holder: id }),
            number: numbering(maxMembers, id),
            waiting: [] as { readonly change: MembershipChange; readonly answer: unknown }[],
            taken: undefined as ReturnType<ReturnType<typeof openNode>['store']['take']> | undefined,
            untold: [] as MembershipChange[],
          }));
          type Node = (typeof nodes)[number];
          const results: unknown[] = [];
          const expected: unknown[] = [];
          const take = (node: Node, size: number): void => {
            const before = node.store.queued;
            node.taken = node.store.take(0, size);
            const gone = node.waiting.splice(0, before - node.store.queued);
            node.untold = gone.map((one) => one.change);
            results.push(...gone.map(({ answer }) => answer));
            // Their place is here; what they come to follows with the answer.
            expected.push(...gone.map((one) => one.change));
          };
          const answer = (node: Node): void => {
            for (const one of node.untold) {
              const at = expected.indexOf(one);
              expected[at] = memory.apply([one]).map(withoutVersion);
            }
            node.commit(node.taken ?? []);
            node.taken = undefined;
          };
          for (const { node: which, change: drawn, size, isAnswered } of steps) {
            const node = nodes[which]!;
            // A connection keeps its user: one who is refused in place of another leaves room for others in between.
            const user =
              drawn.channel === 'presence-y' ? undefined : ['ada', 'bob', 'cleo', 'ada'][drawn.socket];
            const made = node.number({ ...drawn, user });
            node.waiting.push({ change: made, answer: node.store.apply([made]) });
            if (node.taken === undefined && size > 0) take(node, size);
            if (node.taken !== undefined && isAnswered) answer(node);
          }
          for (const node of nodes) {
            if (node.taken !== undefined) answer(node);
            while (node.store.waiting(0).changes > 0) {
              take(node, 5);
              answer(node);
            }
          }
          const answered = (await Promise.all(results)) as (readonly ChangeResult[])[];
          expect(answered.map((one) => one.map(withoutVersion))).toEqual(expected);
          jest.advanceTimersByTime(1_000);
          for (const node of nodes) node.drain();
          expect(model.state()).toEqual(stateOf(memory));
        },
      ),
      { numRuns: 200 },
    );
  });

  test('ends with what it answered in the store, whatever is lost on the way, and each change is answered once', async () => {
    const step = fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({
          kind: fc.constant('call' as const),
          changes: fc.array(change, { minLength: 1, maxLength: 3 }),
        }),
      },
      {
        weight: 4,
        arbitrary: fc.record({ kind: fc.constant('take' as const), size: fc.integer({ min: 1, max: 4 }) }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constant('other' as const),
          channel: fc.constantFrom(...channels),
          isThere: fc.boolean(),
        }),
      },
      ...(['apply', 'answer', 'answer', 'away', 'return', 'return', 'fence', 'wipe', 'tick'] as const).map(
        (kind) => ({
          weight: kind === 'fence' || kind === 'wipe' ? 1 : 2,
          arbitrary: fc.record({ kind: fc.constant(kind) }),
        }),
      ),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }),
        fc.nat(2),
        fc.integer({ min: 4, max: 30 }),
        async (steps, maxMembers, maxWaiting) => {
          const world = new LossyWorld(maxWaiting);
          const number = numbering(maxMembers, '1');
          const answers: { readonly changes: readonly MembershipChange[]; readonly results: unknown }[] = [];
          for (const one of steps) {
            if (one.kind === 'call') {
              const changes = one.changes.map(number);
              answers.push({ changes, results: world.node.store.apply(changes) });
            } else if (one.kind === 'take') world.take(one.size);
            else if (one.kind === 'other') world.other(one.channel, one.isThere);
            else world[one.kind]();
          }
          world.settle();
          world.model.reap('other');
          const present = new Map<string, string | undefined>();
          for (const { changes, results } of answers) {
            for (const [i, result] of ((await results) as readonly ChangeResult[]).entries()) {
              const made = changes[i]!;
              const key = `${made.channel} ${made.socketId}`;
              if (result.kind === 'joined')
                present.set(key, made.kind === 'join' ? made.member?.userId : undefined);
              if (result.kind === 'left') present.delete(key);
            }
          }
          expect(world.model.state()).toEqual(foldOf(present));
          expect(world.node.store.dirty).toBe(0);
        },
      ),
      { numRuns: 300 },
    );
  });
});

/** One node and a store that loses requests, answers and everything, as the node's writer would bring them together. */
class LossyWorld {
  readonly model = new GroupModel();
  readonly node: ReturnType<typeof openNode>;
  #incarnation = 1;
  #batch: readonly Group[] | undefined;
  #replies: readonly string[] | undefined;
  #isUp = true;

  constructor(maxWaiting: number) {
    this.node = openNode(this.model, { maxWaiting });
  }

  take(size: number): void {
    if (!this.#isUp || this.#batch !== undefined) return;
    const groups = this.node.store.take(0, size);
    if (groups.length > 0) this.#batch = groups;
  }

  /** The store takes what is under way; a second time it has the replies saved. */
  apply(): void {
    if (!this.#isUp || this.#batch === undefined) return;
    const toldBefore = this.model.told.length;
    this.#replies ??= this.model.apply(
      `n.${this.#incarnation}`,
      this.#batch.map(({ args }) => args),
    );
    for (const told of this.model.told.slice(toldBefore)) this.node.views.hear(told);
  }

  answer(): void {
    if (!this.#isUp || this.#batch === undefined) return;
    this.apply();
    const [batch, replies] = [this.#batch, this.#replies];
    this.#batch = undefined;
    this.#replies = undefined;
    for (const [i, group] of batch.entries()) group.answered(replies![i]!);
  }

  away(): void {
    if (!this.#isUp) return;
    this.#isUp = false;
    this.node.setUp(false);
    this.node.store.away();
  }

  return(): void {
    if (this.#isUp) return;
    this.#isUp = true;
    this.node.setUp(true);
    this.node.views.read(this.model, channels);
    this.node.store.returned();
  }

  /** What is under way goes first under the new name. */
  fence(): void {
    this.model.reap(`n.${this.#incarnation++}`);
    this.#replies = undefined;
    this.node.store.assertAll(0, { isWiped: false });
  }

  wipe(): void {
    this.model.wipe();
    this.#incarnation++;
    this.#replies = undefined;
    this.node.store.assertAll(0, { isWiped: true });
  }

  /** A user of another node comes or goes. */
  other(channel: string, isThere: boolean): void {
    const ops = isThere ? '1' : '0';
    const user = ['zoe', ops, 0, '-'] as const;
    this.model.apply('other', [['c', 'app-1', channel, Number(isThere), ops, 0, 0, 1, ...user]]);
    if (this.#isUp) this.node.views.read(this.model, channels);
  }

  tick(): void {
    jest.advanceTimersByTime(1_000);
  }

  settle(): void {
    this.return();
    this.answer();
    this.#drain();
    this.tick();
    this.#drain();
  }

  #drain(): void {
    while (this.node.store.waiting(0).changes > 0) {
      this.take(3);
      this.answer();
    }
  }
}

function foldOf(present: ReadonlyMap<string, string | undefined>) {
  const state = new Map<string, { subscriptions: number; users: string[] }>();
  for (const [key, userId] of present) {
    const [name] = key.split(' ');
    const one = state.get(name!) ?? { subscriptions: 0, users: [] };
    state.set(name!, one);
    one.subscriptions++;
    if (userId !== undefined && !one.users.includes(userId)) one.users.push(userId);
  }
  for (const { users } of state.values()) users.sort();
  return Object.fromEntries([...state].sort());
}
