import type { Random } from './random.ts';

/** JSON as text can hold it, which is more than values can: keys given twice, `__proto__`, numbers beyond doubles. */
export type Json = null | boolean | number | string | Json[] | Fields | Raw;

/** An object as its list of members. */
export class Fields {
  readonly members: [key: string, value: Json][];
  constructor(members: [key: string, value: Json][]) {
    this.members = members;
  }
}

/** Text that stands in the document as it is. */
export class Raw {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export function fields(object: Readonly<Record<string, Json | undefined>>): Fields {
  const members = Object.entries(object);
  return new Fields(members.filter((member): member is [string, Json] => member[1] !== undefined));
}

export function encode(json: Json): string {
  if (json instanceof Raw) return json.text;
  if (Array.isArray(json)) return `[${json.map(encode).join(',')}]`;
  if (json instanceof Fields) {
    return `{${json.members.map(([key, value]) => `${JSON.stringify(key)}:${encode(value)}`).join(',')}}`;
  }
  return JSON.stringify(json);
}

export function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

const inherited = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'valueOf',
  '__defineGetter__',
];

const oddStrings = [
  '',
  ' ',
  '\u0000',
  'null',
  'undefined',
  '[object Object]',
  '../../etc/passwd',
  '%00%2e%2e',
  '{channel}$&$1',
  '\ud800',
  'x\udc00y',
  '\u202e\ufeff',
  '💥',
  'é'.repeat(300),
  'A'.repeat(5_000),
  ...inherited,
];

const oddNumbers = [
  '0',
  '-0',
  '-1',
  '1e308',
  '1e999',
  '-1e999',
  '9007199254740993',
  '0.1',
  '1E-400',
  '2147483648',
];

/** A value where it does not belong. */
export function oddValue(random: Random): Json {
  return random.weighted<() => Json>([
    [6, () => random.pick(oddStrings)],
    [4, () => new Raw(random.pick(oddNumbers))],
    [3, () => random.pick([null, true, false])],
    [2, () => []],
    [2, () => fields({})],
    [1, () => [[], [null], 'x', 1]],
    [1, () => new Fields([[random.pick(inherited), fields({ channel: 'polluted', event: 'polluted' })]])],
    [1, () => nested(random.pick([20, 500, 5_000]), random.chance(0.5))],
    [1, () => 'B'.repeat(random.pick([200, 201, 1_001, 10_240, 10_241, 30_000]))],
  ])();
}

/** Far more levels than any message has. */
function nested(depth: number, asObjects: boolean): Raw {
  return new Raw(
    asObjects ? `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}` : `${'['.repeat(depth)}${']'.repeat(depth)}`,
  );
}

/** Changes the document in one place, keeping it JSON: another type, a member less, more, twice, or by another name. */
export function mutate(json: Json, random: Random): Json {
  const places = objectsOf(json);
  if (places.length === 0 || random.chance(0.05)) return oddValue(random);
  const { members } = random.pick(places);
  if (members.length === 0) {
    members.push([random.pick(inherited), oddValue(random)]);
    return json;
  }
  const at = random.int(members.length);
  const [key, value] = members[at]!;
  random.weighted<() => unknown>([
    [8, () => (members[at] = [key, oddValue(random)])],
    [3, () => members.splice(at, 1)],
    [2, () => members.push([key, oddValue(random)])],
    [2, () => members.unshift([random.pick(inherited), oddValue(random)])],
    [1, () => (members[at] = [random.pick([key.toUpperCase(), `${key} `, ...inherited]), value])],
    [1, () => (members[at] = [key, [value]])],
    [1, () => (members[at] = [key, encode(value)])],
  ])();
  return json;
}

function objectsOf(json: Json): Fields[] {
  if (Array.isArray(json)) return json.flatMap(objectsOf);
  if (!(json instanceof Fields)) return [];
  return [json, ...json.members.flatMap(([, value]) => objectsOf(value))];
}

/** Breaks the text itself: cut short, a piece changed, something in front or behind. */
export function breakText(text: string, random: Random): string {
  const at = random.int(text.length + 1);
  return random.weighted<() => string>([
    [4, () => text.slice(0, at)],
    [
      2,
      () => text.slice(0, at) + random.pick(['"', '}', ']', ',', '\\', '\u0000', '\ufeff']) + text.slice(at),
    ],
    [1, () => `${text}${text}`],
    [1, () => `\ufeff${text}`],
    [1, () => text.replaceAll('"', "'")],
    [1, () => text.slice(at)],
  ])();
}
