import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ChannelView } from '../../../../lib/membership/redis/channel-view.ts';
import type { Member, MembershipAnnouncement } from '../../../../lib/membership/membership-store.ts';

const member = (userId: string, userInfoJson?: string): Member => ({ userId, userInfoJson });

function presence() {
  return new ChannelView({ appId: 'app-1', channel: 'presence-x', hasMembers: true, isCounted: false });
}
function counted() {
  return new ChannelView({ appId: 'app-1', channel: 'x', hasMembers: false, isCounted: true });
}
const content = (version: number, members: readonly Member[] = [], subscriptions = 1) => ({
  version,
  subscriptions,
  members,
});
const change = (version: number, added: readonly Member[] = [], removed: readonly string[] = []) => ({
  version,
  added,
  removed,
});

describe('the view of a presence channel', () => {
  test('takes the next version and tells it as it is', () => {
    const view = presence();
    view.install(content(4, [member('ada')]));
    expect(view.take(change(5, [member('bob', '{}')], ['ada']))).toEqual({
      ...{
        appId: 'app-1',
        channel: 'presence-x',
        version: 5,
        removed: ['ada'],
        added: [member('bob', '{}')],
      },
    });
    expect(view.snapshot()).toEqual({ version: 5, members: [member('bob', '{}')] });
  });

  test('leaves out what changes nothing here', () => {
    const view = presence();
    view.install(content(4, [member('ada')]));
    expect(view.take(change(5, [member('ada'), member('bob')], ['eve']))).toMatchObject({
      removed: [],
      added: [member('bob')],
    });
  });

  test('says nothing of a version in which nothing changed here, and counts it', () => {
    const view = presence();
    view.install(content(4, [member('ada')]));
    expect([view.take(change(5, [member('ada')])), view.told, view.version]).toEqual([undefined, 5, 5]);
  });

  test('tells both of a user who went and came back within a change', () => {
    const view = presence();
    view.install(content(1, [member('ada')]));
    expect(view.take(change(2, [member('ada')], ['ada']))).toMatchObject({
      removed: ['ada'],
      added: [member('ada')],
    });
  });

  test('ignores what it knows already', () => {
    const view = presence();
    view.install(content(4, [member('ada')]));
    expect([view.take(change(4, [member('bob')])), view.members.size]).toEqual([undefined, 1]);
  });

  test('sees a gap and takes nothing', () => {
    const view = presence();
    view.install(content(4, [member('ada')]));
    expect([view.take(change(6, [member('bob')])), view.version, view.members.size]).toEqual(['gap', 4, 1]);
  });

  test('tells the difference when it is read again, as one announcement', () => {
    const view = presence();
    view.install(content(4, [member('ada'), member('bob', '1')]));
    const told = view.install(content(9, [member('bob', '2'), member('eve')]));
    expect(told).toMatchObject({
      version: 9,
      removed: ['ada', 'bob'],
      added: [member('bob', '2'), member('eve')],
    });
  });

  test('shows changes made here between two versions of the store', () => {
    const view = presence();
    view.install(content(4));
    const versions = ['ada', 'bob'].map(
      (user) => view.appliedHere({ removed: [], added: [member(user)] })?.version,
    );
    expect(versions).toEqual([4 + 1 / 4096, 4 + 2 / 4096]);
    expect(view.take(change(5, [member('ada')], []))).toBeUndefined();
    expect(view.told).toBe(5);
  });

  test('tells no more than 4,000 changes made here, so that the next version of the store lies above', () => {
    const view = presence();
    view.install(content(4));
    let told = 0;
    for (let i = 0; i < 5_000; i++) {
      if (view.appliedHere({ removed: [], added: [member(`user-${i}`)] }) !== undefined) told++;
    }
    expect([told, view.told < 5]).toEqual([4_000, true]);
    const users = [...view.members.values()];
    expect(view.install(content(5, [...users, member('late')]))).toMatchObject({ added: [member('late')] });
    expect(view.appliedHere({ removed: ['late'], added: [] })?.version).toBe(5 + 1 / 4096);
  });

  test('takes up a store that lost versions, and goes on telling rising ones', () => {
    const view = presence();
    view.install(content(7, [member('ada')]));
    expect(view.install(content(5, []))?.version).toBe(7 + 1 / 4096);
    expect(view.take(change(6, [member('bob')]))).toMatchObject({ version: 7 + 2 / 4096 });
  });

  test('whatever is missed, read late or done here: announcements add up to what is shown, in rising versions', () => {
    const user = fc.constantFrom('a', 'b', 'c', 'd');
    const stepOf = fc.oneof(
      fc.record({ kind: fc.constant('store' as const), user, isHeard: fc.boolean(), info: fc.nat(2) }),
      fc.record({ kind: fc.constant('here' as const), user }),
      fc.record({ kind: fc.constant('read' as const) }),
      fc.record({ kind: fc.constant('lost' as const), versions: fc.nat(3) }),
    );
    fc.assert(
      fc.property(fc.array(stepOf, { maxLength: 60 }), (steps) => {
        const view = presence();
        const store = { version: 0, members: new Map<string, Member>() };
        const shown = new Map<string, Member>();
        let last = 0;
        const fold = (told: MembershipAnnouncement | 'gap' | undefined): void => {
          if (told === 'gap') fold(view.install(content(store.version, [...store.members.values()])));
          if (told === undefined || told === 'gap') return;
          expect(told.version).toBeGreaterThan(last);
          last = told.version;
          for (const userId of told.removed) expect(shown.delete(userId)).toBe(true);
          for (const each of told.added) shown.set(each.userId, each);
        };
        for (const step of steps) {
          if (step.kind === 'store') {
            const isGone = store.members.delete(step.user);
            const come = isGone ? [] : [member(step.user, String(step.info))];
            for (const each of come) store.members.set(each.userId, each);
            store.version++;
            if (step.isHeard) fold(view.take(change(store.version, come, isGone ? [step.user] : [])));
          } else if (step.kind === 'here') {
            const isThere = view.members.has(step.user);
            fold(
              view.appliedHere({
                removed: isThere ? [step.user] : [],
                added: isThere ? [] : [member(step.user)],
              }),
            );
          } else if (step.kind === 'read') {
            fold(view.install(content(store.version, [...store.members.values()])));
          } else {
            store.version = Math.max(0, store.version - step.versions);
          }
          expect([...shown.values()]).toEqual(expect.arrayContaining([...view.members.values()]));
          expect(shown.size).toBe(view.members.size);
          expect(view.told).toBeGreaterThanOrEqual(last);
        }
        fold(view.install(content(store.version, [...store.members.values()])));
        expect(new Set(shown.values())).toEqual(new Set(store.members.values()));
      }),
    );
  });
});

describe('the view of a counted channel', () => {
  test('takes a newer count, whatever was missed before it', () => {
    const view = counted();
    view.install(content(2, [], 3));
    expect(view.take({ ...change(9), subscriptionCount: 7 })).toMatchObject({
      version: 9,
      subscriptionCount: 7,
    });
  });

  test('tells the count that was read when it is another', () => {
    const view = counted();
    expect(view.install(content(2, [], 3))).toMatchObject({ version: 2, subscriptionCount: 3 });
    expect(view.install(content(3, [], 3))).toBeUndefined();
  });

  test('tells nothing of a channel without subscriptions, unless there were some', () => {
    const view = counted();
    expect(view.install(content(57, [], 0))).toBeUndefined();
    view.install(content(58, [], 1));
    expect(view.install(content(59, [], 0))).toMatchObject({ version: 59, subscriptionCount: 0 });
  });

  test('keeps no members', () => {
    const view = counted();
    view.install(content(1, [member('ada')], 1));
    view.take({ ...change(2, [member('bob')]), subscriptionCount: 2 });
    expect(view.members.size).toBe(0);
  });
});
