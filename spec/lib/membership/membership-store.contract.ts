import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { MaybePromise } from '../../../lib/flow/maybe-promise.ts';
import type {
  ChangeResult,
  Join,
  Leave,
  MembershipAnnouncement,
  MembershipChange,
} from '../../../lib/membership/membership-store.ts';
import { openStores, type StoresFixture } from '../stores.ts';

const room = 'presence-room';

function join(socketId: string, own: Partial<Join> = {}): Join {
  return {
    kind: 'join',
    appId: 'app-1',
    channel: room,
    socketId,
    incarnation: 1,
    maxMembers: 0,
    counted: false,
    ...own,
  };
}
const member = (userId: string, userInfoJson?: string) => ({ member: { userId, userInfoJson } });
function leave(socketId: string, own: Partial<Leave> = {}): Leave {
  return { kind: 'leave', appId: 'app-1', channel: room, socketId, incarnation: 1, counted: false, ...own };
}

/** What every membership store has to do, whatever it is made of. */
export function describeMembershipStore(fixture: StoresFixture): void {
  const { name } = fixture;
  function open() {
    const announcements: MembershipAnnouncement[] = [];
    const { stores, answerOf } = openStores(fixture, (message) => {
      if (message.kind === 'membership') announcements.push(message);
    });
    const { membership } = stores;
    const apply = (...changes: readonly MembershipChange[]): Promise<readonly ChangeResult[]> =>
      answerOf(membership.apply(changes));
    const users = async (channel = room): Promise<readonly string[]> => {
      const { members } = await answerOf(membership.snapshot('app-1', channel));
      return members.map(({ userId }) => userId);
    };
    return { membership, announcements, answerOf, apply, users };
  }
  const told = ({ version, removed, added }: MembershipAnnouncement) => ({
    version,
    removed,
    added: added.map(({ userId }) => userId),
  });

  describe(`a membership store (${name})`, () => {
    beforeEach(() => fixture.begin());
    afterEach(() => fixture.end());

    describe('a join', () => {
      test('occupies the channel when it is the first', async () => {
        const { apply } = open();
        const results = await apply(join('1.1'), join('1.2'));
        expect(results).toMatchObject([{ occupied: true }, { occupied: false }]);
      });

      test('of a member is announced at the version it answers', async () => {
        const { apply, announcements } = open();
        const [result] = await apply(join('1.1', member('ada')));
        expect(announcements.map(told)).toEqual([
          { version: (result as { version: number }).version, removed: [], added: ['ada'] },
        ]);
      });

      test('of a user who is there already is not announced', async () => {
        const { apply, announcements } = open();
        await apply(join('1.1', member('ada')), join('1.2', member('ada')));
        expect(announcements.length).toBe(1);
      });

      test('of a user who is there already keeps the info of the first', async () => {
        const { apply, membership, answerOf } = open();
        await apply(join('1.1', member('ada', '1')), join('1.2', member('ada', '2')));
        const { members } = await answerOf(membership.snapshot('app-1', room));
        expect(members).toEqual([{ userId: 'ada', userInfoJson: '1' }]);
      });

      test('without a member is not announced', async () => {
        const { apply, announcements } = open();
        await apply(join('1.1'));
        expect(announcements).toEqual([]);
      });

      test('that is counted announces the count', async () => {
        const { apply, announcements } = open();
        await apply(join('1.1', { counted: true }));
        await apply(join('1.2', { counted: true }));
        expect(announcements.map(({ subscriptionCount }) => subscriptionCount)).toEqual([1, 2]);
      });

      test('that is not counted announces no count', async () => {
        const { apply, announcements } = open();
        await apply(join('1.1', member('ada')));
        expect(announcements.map((one) => 'subscriptionCount' in one)).toEqual([false]);
      });

      test('of another user by a connection that is there replaces the user, in one announcement', async () => {
        const { apply, announcements } = open();
        await apply(join('1.1', member('ada')));
        await apply(join('1.1', { incarnation: 2, ...member('bob') }));
        expect(announcements.slice(1).map(told)).toMatchObject([{ removed: ['ada'], added: ['bob'] }]);
      });

      test('by a connection that is there counts it once', async () => {
        const { apply, membership, answerOf } = open();
        await apply(join('1.1', member('ada')), join('1.1', { incarnation: 2, ...member('bob') }));
        expect(await answerOf(membership.channel('app-1', room))).toEqual({
          channel: room,
          subscriptions: 1,
          users: 1,
        });
      });
    });

    describe('a leave', () => {
      test('vacates the channel when it is the last', async () => {
        const { apply } = open();
        const results = await apply(join('1.1'), join('1.2'), leave('1.1'), leave('1.2'));
        expect(results.slice(2)).toEqual([
          { kind: 'left', vacated: false },
          { kind: 'left', vacated: true },
        ]);
      });

      test('of a user’s last connection is announced', async () => {
        const { apply, announcements } = open();
        await apply(join('1.1', member('ada')), join('1.2', member('ada')));
        await apply(leave('1.1'));
        await apply(leave('1.2'));
        expect(announcements.map(({ removed }) => removed)).toEqual([[], ['ada']]);
      });

      test('of an older incarnation changes nothing', async () => {
        const { apply, membership, answerOf } = open();
        const results = await apply(join('1.1', { incarnation: 2, ...member('ada') }), leave('1.1'));
        expect(results[1]).toEqual({ kind: 'ignored' });
        expect(await answerOf(membership.users('app-1', room))).toEqual(['ada']);
      });

      test('of a connection that is not there changes nothing', async () => {
        const { apply, announcements } = open();
        expect([await apply(leave('1.1')), announcements]).toEqual([[{ kind: 'ignored' }], []]);
      });

      test('that comes twice counts once', async () => {
        const { apply } = open();
        const results = await apply(join('1.1'), join('1.2'), leave('1.1'), leave('1.1'));
        expect(results.slice(2)).toEqual([{ kind: 'left', vacated: false }, { kind: 'ignored' }]);
      });

      test('of another app changes nothing', async () => {
        const { apply } = open();
        const results = await apply(join('1.1'), leave('1.1', { appId: 'app-2' }));
        expect(results[1]).toEqual({ kind: 'ignored' });
      });
    });

    describe('a channel with as many members as it may have', () => {
      const limited = { maxMembers: 1 };

      test('takes no further user', async () => {
        const { apply } = open();
        const results = await apply(
          join('1.1', { ...limited, ...member('ada') }),
          join('1.2', { ...limited, ...member('bob') }),
        );
        expect(results[1]).toEqual({ kind: 'full' });
      });

      test('is left as it is by a join that was refused', async () => {
        const { apply, membership, announcements, answerOf } = open();
        await apply(
          join('1.1', { ...limited, ...member('ada') }),
          join('1.2', { ...limited, ...member('bob') }),
        );
        expect([announcements.length, await answerOf(membership.channel('app-1', room))]).toEqual([
          1,
          { channel: room, subscriptions: 1, users: 1 },
        ]);
      });

      test('takes another connection of a user who is there', async () => {
        const { apply } = open();
        const results = await apply(
          join('1.1', { ...limited, ...member('ada') }),
          join('1.2', { ...limited, ...member('ada') }),
        );
        expect(results[1]).toMatchObject({ kind: 'joined' });
      });

      test('takes a user in place of the connection’s former one', async () => {
        const { apply, users } = open();
        const results = await apply(
          join('1.1', { ...limited, ...member('ada') }),
          join('1.1', { ...limited, incarnation: 2, ...member('bob') }),
        );
        expect([results[1]?.kind, await users()]).toEqual(['joined', ['bob']]);
      });

      test('takes one again when one has left', async () => {
        const { apply } = open();
        const results = await apply(
          join('1.1', { ...limited, ...member('ada') }),
          leave('1.1'),
          join('1.2', { ...limited, ...member('bob') }),
        );
        expect(results[2]).toMatchObject({ kind: 'joined' });
      });
    });

    describe('a call with many changes', () => {
      test('announces a channel once also when it is empty in between', async () => {
        const { apply, announcements } = open();
        await apply(join('1.1', { ...member('ada'), counted: true }));
        const results = await apply(
          leave('1.1', { counted: true }),
          join('1.2', { ...member('ada'), counted: true }),
        );
        expect(results).toEqual([
          { kind: 'left', vacated: true },
          { kind: 'joined', version: 2, occupied: true },
        ]);
        expect(announcements.slice(1)).toMatchObject([
          { version: 2, removed: ['ada'], added: [{ userId: 'ada' }], subscriptionCount: 1 },
        ]);
      });

      test('announces each channel once, at one version', async () => {
        const { apply, announcements } = open();
        const results = await apply(
          join('1.1', member('ada')),
          join('1.1', { channel: 'presence-x', ...member('ada') }),
          join('1.2', member('bob')),
        );
        // Nothing orders two channels: they may be of different partitions.
        const byChannel = new Map(announcements.map((one) => [one.channel, one]));
        expect([announcements.length, byChannel.get(room)?.added.length]).toEqual([2, 2]);
        expect(byChannel.get('presence-x')?.added.length).toBe(1);
        const version = byChannel.get(room)!.version;
        expect([results[0], results[2]]).toMatchObject([{ version }, { version }]);
      });

      test('says nothing of a user who came and went within it', async () => {
        const { apply, announcements } = open();
        await apply(join('1.1', member('ada')));
        await apply(join('1.2', member('bob')), leave('1.2'));
        expect(announcements.slice(1).map(told)).toMatchObject([{ removed: [], added: [] }]);
      });

      test('says both of a user who went and came back within it', async () => {
        const { apply, announcements } = open();
        await apply(join('1.1', member('ada')), join('1.2', member('bob')));
        await apply(leave('1.2'), join('1.2', { incarnation: 2, ...member('bob') }));
        expect(announcements.slice(1).map(told)).toMatchObject([{ removed: ['bob'], added: ['bob'] }]);
      });

      test('announces the number of subscriptions at its end', async () => {
        const { apply, announcements } = open();
        await apply(join('1.1', { counted: true }), join('1.2', { counted: true }));
        expect(announcements.map(({ subscriptionCount }) => subscriptionCount)).toEqual([2]);
      });
    });

    describe('a snapshot', () => {
      test('has every member with their info, at the channel’s version', async () => {
        const { apply, membership, announcements, answerOf } = open();
        await apply(join('1.1', member('ada', '{"n":1}')), join('1.2', member('bob')));
        expect(await answerOf(membership.snapshot('app-1', room))).toEqual({
          version: announcements.at(-1)!.version,
          members: [
            { userId: 'ada', userInfoJson: '{"n":1}' },
            { userId: 'bob', userInfoJson: undefined },
          ],
        });
      });

      test('of a channel without subscribers is empty, at version 0', async () => {
        const { membership, answerOf } = open();
        expect(await answerOf(membership.snapshot('app-1', room))).toEqual({ version: 0, members: [] });
      });
    });

    describe('a question', () => {
      test('about the channels of an app is answered with those that are occupied', async () => {
        const { apply, membership, answerOf } = open();
        await apply(join('1.1'), join('1.1', { channel: 'x' }), leave('1.1', { channel: 'x' }));
        expect(await answerOf(membership.channels('app-1', ''))).toEqual([
          { channel: room, subscriptions: 1, users: 0 },
        ]);
      });

      test('about channels with a prefix is answered with those', async () => {
        const { apply, membership, answerOf } = open();
        await apply(join('1.1'), join('1.1', { channel: 'private-x' }));
        const channels = await answerOf(membership.channels('app-1', 'private-'));
        expect(channels.map(({ channel }) => channel)).toEqual(['private-x']);
      });

      test('about another app is answered with nothing', async () => {
        const { apply, membership, answerOf } = open();
        await apply(join('1.1'));
        const answers = [
          await answerOf(membership.channels('app-2', '')),
          await answerOf(membership.channel('app-2', room)),
          await answerOf(membership.users('app-2', room)),
        ];
        expect(answers).toEqual([[], undefined, []]);
      });

      test('about the users of a channel is answered with each once', async () => {
        const { apply, membership, answerOf } = open();
        await apply(join('1.1', member('ada')), join('1.2', member('ada')), join('1.3', member('bob')));
        expect(await answerOf(membership.users('app-1', room))).toEqual(['ada', 'bob']);
      });
    });

    test('versions go on where they were when a channel is occupied again', async () => {
      const { apply, announcements } = open();
      await apply(join('1.1', member('ada')), leave('1.1'), join('1.2', member('bob')));
      const versions = announcements.map(({ version }) => version);
      expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
    });

    test('whatever is asked, answers, announcements and state are those of the model', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { maxLength: 50 }), async (operations) => {
          const { membership, announcements, answerOf } = open();
          const model = new Model();
          const changes = operations.map((one) => model.toChange(one));
          const asked: MaybePromise<readonly ChangeResult[]>[] = [];
          for (let at = 0; at < changes.length; ) {
            const size = 1 + (at % 3);
            asked.push(membership.apply(changes.slice(at, at + size)));
            at += size;
          }
          const results = (await Promise.all(asked.map(answerOf))).flat();
          expect(results.map(outcomeOf)).toEqual(changes.map((change) => model.apply(change)));
          for (const channel of channels) {
            const told = announcements.filter((one) => one.channel === channel);
            expect(told.map(({ version }) => version)).toEqual(contiguous(told));
            expect(foldOf(told)).toEqual(model.users(channel));
            const summary = await answerOf(membership.channel('app-1', channel));
            expect(summary).toEqual(model.summary(channel));
            const snapshot = await answerOf(membership.snapshot('app-1', channel));
            expect(new Set(snapshot.members.map(({ userId }) => userId))).toEqual(model.users(channel));
            if (summary !== undefined) expect(snapshot.version).toBe(told.at(-1)?.version);
          }
        }),
      );
    });
  });
}

const channels = ['presence-x', 'presence-y'] as const;
const operation = fc.record({
  kind: fc.constantFrom('join', 'leave', 'stale leave'),
  socket: fc.nat(3),
  channel: fc.constantFrom(...channels),
  user: fc.constantFrom('ada', 'bob', 'cleo'),
});
type Operation = typeof operation extends fc.Arbitrary<infer O> ? O : never;

/** The membership of one app as a list of who is where. */
class Model {
  readonly #present = new Map<string, { readonly incarnation: number; readonly userId: string }>();
  readonly #incarnations = new Map<string, number>();
  readonly #maxMembers = 2;

  toChange({ kind, socket, channel, user }: Operation): MembershipChange {
    const socketId = `1.${socket}`;
    const key = `${channel} ${socketId}`;
    const incarnation = (this.#incarnations.get(key) ?? 0) + (kind === 'join' ? 1 : 0);
    this.#incarnations.set(key, incarnation);
    if (kind === 'join') {
      return join(socketId, { channel, incarnation, maxMembers: this.#maxMembers, ...member(user) });
    }
    return leave(socketId, { channel, incarnation: kind === 'leave' ? incarnation : incarnation - 1 });
  }

  /** What the change comes to, in words. */
  apply(change: MembershipChange): string {
    const key = `${change.channel} ${change.socketId}`;
    const before = this.users(change.channel);
    if (change.kind === 'leave') {
      if (this.#present.get(key)?.incarnation !== change.incarnation) return 'ignored';
      this.#present.delete(key);
      return this.users(change.channel).size === 0 ? 'left, vacated' : 'left';
    }
    const previous = this.#present.get(key);
    const userId = change.member?.userId ?? '';
    this.#present.set(key, { incarnation: change.incarnation, userId });
    if (!before.has(userId) && this.users(change.channel).size > this.#maxMembers) {
      this.#present.delete(key);
      if (previous !== undefined) this.#present.set(key, previous);
      return 'full';
    }
    return before.size === 0 ? 'joined, occupied' : 'joined';
  }

  users(channel: string): ReadonlySet<string> {
    return new Set(this.#of(channel).map(({ userId }) => userId));
  }

  summary(channel: string) {
    const subscriptions = this.#of(channel).length;
    return subscriptions === 0 ? undefined : { channel, subscriptions, users: this.users(channel).size };
  }

  #of(channel: string) {
    return [...this.#present].filter(([key]) => key.startsWith(`${channel} `)).map(([, one]) => one);
  }
}

function outcomeOf(result: ChangeResult): string {
  if (result.kind === 'left') return result.vacated ? 'left, vacated' : 'left';
  if (result.kind !== 'joined') return result.kind;
  return result.occupied ? 'joined, occupied' : 'joined';
}

/** Members from announcements; one that is added twice or removed without being there ends it. */
function foldOf(announcements: readonly MembershipAnnouncement[]): ReadonlySet<string> {
  const members = new Set<string>();
  for (const { removed, added } of announcements) {
    for (const userId of removed) {
      if (!members.delete(userId)) throw new Error(`${userId} was removed twice`);
    }
    for (const { userId } of added) {
      if (members.has(userId)) throw new Error(`${userId} was added twice`);
      members.add(userId);
    }
  }
  return members;
}

/** The versions as they have to be: one after the other while the channel is occupied, higher when it is again. */
function contiguous(announcements: readonly MembershipAnnouncement[]): readonly number[] {
  let present = 0;
  let last = 0;
  return announcements.map(({ version, removed, added }) => {
    const expected = present === 0 ? Math.max(version, last + 1) : last + 1;
    present += added.length - removed.length;
    last = expected;
    return expected;
  });
}
