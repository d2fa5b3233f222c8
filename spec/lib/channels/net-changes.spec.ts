import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { cutAt, netFrames } from '../../../lib/channels/net-changes.ts';
import type { MembershipAnnouncement } from '../../../lib/membership/membership-store.ts';
import { memberAdded, memberRemoved } from '../../../lib/protocol/server-messages.ts';
import { forEachFrame } from '../../../lib/edge/split-frames.ts';

const channel = 'presence-room';

/** `+ada` came, `-ada` went; each word is an announcement, its changes joined by commas. */
function announcements(text: string): readonly MembershipAnnouncement[] {
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map((word, index) => {
      const users = (sign: string) =>
        word
          .split(',')
          .filter((change) => change.startsWith(sign))
          .map((change) => change.slice(1));
      const added = users('+').map((userId) => ({ userId, userInfoJson: undefined }));
      return { appId: 'app-1', channel, version: index + 1, removed: users('-'), added };
    });
}

function textsOf(bytes: Buffer): readonly string[] {
  const texts: string[] = [];
  forEachFrame(bytes, (payload) => texts.push(payload.toString('utf8')));
  return texts;
}

/** The frames as `+ada` and `-ada`. */
function told(text: string): readonly string[] {
  const frames = netFrames(announcements(text));
  return (frames === undefined ? [] : textsOf(frames.bytes)).map((frame) => {
    const { event, data } = JSON.parse(frame) as { readonly event: string; readonly data: string };
    const { user_id: userId } = JSON.parse(data) as { readonly user_id: string };
    return `${event.endsWith('added') ? '+' : '-'}${userId}`;
  });
}

describe('the changes of one user', () => {
  test.each([
    ['+a', ['+a']],
    ['-a', ['-a']],
    ['-a +a', ['-a', '+a']],
    ['+a -a', ['+a', '-a']],
    ['+a -a +a', ['+a']],
    ['-a +a -a', ['-a']],
    ['-a +a -a +a', ['-a', '+a']],
    ['+a -a +a -a', ['+a', '-a']],
    ['+a -a +a -a +a', ['+a']],
  ])('%s are told as %j', (text, expected) => {
    expect(told(text)).toEqual(expected);
  });

  test('within one announcement are told as they are: away and back', () => {
    expect(told('-a,+a')).toEqual(['-a', '+a']);
  });
});

describe('the changes of several users', () => {
  test('are netted for each', () => {
    expect(told('+a +b -a -c +a')).toEqual(['+a', '+b', '-c']);
  });

  test('of one announcement tell who went before who came', () => {
    expect(told('+b,-a')).toEqual(['-a', '+b']);
  });

  test('carry the user_info as it came', () => {
    const added = [{ userId: 'ada', userInfoJson: '{"a":1.0}' }];
    const frames = netFrames([{ appId: 'app-1', channel, version: 1, removed: ['bob'], added }]);
    expect(textsOf(frames!.bytes)).toEqual([
      memberRemoved(channel, 'bob'),
      memberAdded(channel, 'ada', '{"a":1.0}'),
    ]);
  });

  test('tell of who came back as the user is now', () => {
    const came = (version: number, userInfoJson: string) => ({
      appId: 'app-1',
      channel,
      version,
      removed: version === 1 ? [] : ['ada'],
      added: [{ userId: 'ada', userInfoJson }],
    });
    const frames = netFrames([came(1, '{"tab":1}'), came(2, '{"tab":2}')]);
    expect(textsOf(frames!.bytes)).toEqual([memberAdded(channel, 'ada', '{"tab":2}')]);
  });

  test('are counted as frames', () => {
    expect(netFrames(announcements('+a +b -a'))?.count).toBe(3);
  });
});

test('what tells of no member has no frames', () => {
  expect(netFrames([{ ...announcements('+a')[0]!, added: [], subscriptionCount: 3 }])).toBeUndefined();
});

test('whoever knew the members before knows them after, in at most two frames for each user', () => {
  const users = ['a', 'b', 'c', 'd'];
  const flips = fc.array(fc.uniqueArray(fc.constantFrom(...users), { minLength: 1 }), { maxLength: 30 });
  fc.assert(
    fc.property(flips, fc.subarray(users), (steps, present) => {
      const before = new Set(present);
      const now = new Set(present);
      const text = steps.map((step) =>
        step
          .map((user) => {
            if (now.delete(user)) return `-${user}`;
            now.add(user);
            return `+${user}`;
          })
          .join(','),
      );
      const seen = told(text.join(' '));
      for (const change of seen) {
        const user = change.slice(1);
        expect(before.has(user)).toBe(change.startsWith('-'));
        if (!before.delete(user)) before.add(user);
      }
      expect(before).toEqual(now);
      expect(seen.length).toBeLessThanOrEqual(2 * users.length);
    }),
  );
});

describe('announcements', () => {
  const versions = (cuts: readonly number[]) =>
    cutAt(announcements('+a +b +c +d'), cuts).map((part) => part.map(({ version }) => version));

  test('are one part when nobody was shown a version inside', () => {
    expect(versions([])).toEqual([[1, 2, 3, 4]]);
  });

  test('are cut behind the version somebody was shown', () => {
    expect(versions([2])).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  test('are cut for everybody who was shown a version inside', () => {
    expect(versions([1, 3])).toEqual([[1], [2, 3], [4]]);
  });

  test('are cut also where a version is missing', () => {
    const [first, , , last] = announcements('+a +b +c +d');
    expect(cutAt([first!, last!], [2, 3])).toEqual([[first], [last]]);
  });

  test('are cut in a time that grows with how many they are, not with its square', () => {
    const count = 1_000;
    const many = announcements('+a '.repeat(count));
    let reads = 0;
    const cuts = new Proxy<readonly number[]>(
      many.map(({ version }) => version),
      {
        get: (target, key): unknown => {
          reads++;
          return Reflect.get(target, key);
        },
      },
    );
    expect(cutAt(many, cuts).length).toBe(count);
    expect(reads).toBeLessThan(10 * count);
  });

  test('are not cut at their ends', () => {
    expect(versions([0, 4, 9])).toEqual([[1, 2, 3, 4]]);
  });

  test('are cut at a version that lies between two of them', () => {
    const [first, second] = announcements('+a +b');
    const apart = [first!, { ...second!, version: 9 }];
    expect(cutAt(apart, [5]).length).toBe(2);
  });
});
