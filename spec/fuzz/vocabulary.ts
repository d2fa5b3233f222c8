import type { Random } from './random.ts';
import { encode, fields, type Json, mutate, oddValue } from './json.ts';

/** Few names, so that cases meet in the same channels. A neighbour of another app uses the same ones. */
export const prefixes = [
  '',
  'private-',
  'presence-',
  'cache-',
  'private-cache-',
  'presence-cache-',
  'private-encrypted-',
  'private-encrypted-cache-',
  '#server-to-user-',
] as const;

export const rooms = ['a', 'a', 'a', 'b', 'c'] as const;
export const users = ['u1', 'u2', 'u3', 'u4', 'u5', 'u6', '__proto__', 'constructor'] as const;

const oddChannels = [
  '',
  'private-',
  'presence-',
  '#server-to-user-',
  '#private-x',
  'a b',
  'private-x\n',
  'a/b',
  'x'.repeat(164),
  'x'.repeat(200),
  'x'.repeat(201),
  'x'.repeat(1_001),
  '__proto__',
  'constructor',
  'presence-__proto__',
  'private-\ud800',
  'Private-a',
  'my-private-a',
  'é',
];

export function channelName(random: Random, oddness = 0.12): string {
  if (random.chance(oddness)) return random.pick(oddChannels);
  const prefix = random.pick(prefixes);
  return `${prefix}${prefix === '#server-to-user-' ? random.pick(users) : random.pick(rooms)}`;
}

/** The JSON text inside a string, such as `channel_data`, at times not what it should be. */
export function innerText(json: Json, random: Random): string {
  if (random.chance(0.05)) return random.pick(['', '{', 'null', '"x"', '[]', '\u0000', '{"user_id":1e999}']);
  return encode(random.chance(0.25) ? mutate(json, random) : json);
}

export function channelData(random: Random): string {
  const userId: Json = random.weighted<Json>([
    [12, random.pick(users)],
    [2, random.int(5)],
    [1, oddValue(random)],
  ]);
  return innerText(
    fields({ user_id: userId, user_info: random.chance(0.5) ? userInfo(random) : undefined }),
    random,
  );
}

export function userData(random: Random): string {
  const watchlist = random.chance(0.3)
    ? Array.from({ length: random.pick([0, 1, 3, 101]) }, (_, index) =>
        index < 8 ? users[index]! : `w${index}`,
      )
    : undefined;
  const id: Json = random.chance(0.9) ? random.pick(users) : oddValue(random);
  return innerText(
    fields({ id, user_info: random.chance(0.3) ? userInfo(random) : undefined, watchlist }),
    random,
  );
}

function userInfo(random: Random): Json {
  return random.chance(0.85) ? fields({ name: 'Ada', n: random.int(10) }) : oddValue(random);
}

export function payload(random: Random): Json {
  return random.weighted<Json>([
    [5, '{"some":"data"}'],
    [2, fields({ some: 'data', list: [1, 2] })],
    [1, random.pick(['', 'é☃', 'x'.repeat(10_240), 'x'.repeat(10_241)])],
    [2, oddValue(random)],
  ]);
}
