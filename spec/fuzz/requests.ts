import { createHash, createHmac } from 'node:crypto';
import { breakText, encode, fields, type Json, mutate, parses } from './json.ts';
import type { Random } from './random.ts';
import { channelName, payload, prefixes, users } from './vocabulary.ts';

export interface Publisher {
  readonly appId: string;
  readonly key: string;
  readonly secret: string;
  readonly nowSeconds: number;
}

/** One HTTP request on its way to the server. */
export interface RequestCase {
  readonly kind: 'request';
  /** What it was made from: an endpoint, or `raw request`. */
  readonly of: string;
  readonly isJson: boolean;
  readonly bytes: (publisher: Publisher) => Buffer;
  /** The answer to HEAD has the length of a body and no body. */
  readonly isHead: boolean;
  /** Nothing the server can answer as HTTP: it may end the connection. */
  readonly mayEnd: boolean;
}

interface Draft {
  readonly method: string;
  /** Below `/apps/ID`. */
  readonly path: string;
  readonly query?: readonly (readonly [name: string, value: string])[];
  readonly body?: Json;
}

const infos = [
  'user_count',
  'subscription_count',
  'user_count,subscription_count',
  'cache',
  'nothing',
  '',
  ',,',
  '__proto__',
];

function eventFields(random: Random): Record<string, Json | undefined> {
  return {
    name: random.chance(0.9)
      ? random.pick(['ev', 'App\\Events\\X', 'x'.repeat(200)])
      : random.pick(['', 'pusher:x', 'x'.repeat(201)]),
    data: payload(random),
    socket_id: random.chance(0.2) ? random.pick(['1234.1234', 'undefined', '', '1.2.3']) : undefined,
    info: random.chance(0.3) ? random.pick(infos) : undefined,
  };
}

function events(random: Random): Draft {
  const count = random.weighted([
    [10, 1],
    [5, 3],
    [1, 0],
    [1, 101],
  ]);
  const names = Array.from({ length: count }, (_, index) =>
    count > 3 ? `many-${index}` : channelName(random, 0.05),
  );
  const target = random.chance(0.2) ? { channel: channelName(random) } : { channels: names };
  return { method: 'POST', path: '/events', body: fields({ ...eventFields(random), ...target }) };
}

function batchEvents(random: Random): Draft {
  const count = random.weighted([
    [10, 2],
    [2, 10],
    [1, 11],
    [1, 0],
  ]);
  const batch = Array.from({ length: count }, () =>
    fields({ ...eventFields(random), channel: channelName(random, 0.02) }),
  );
  return { method: 'POST', path: '/batch_events', body: fields({ batch }) };
}

function channels(random: Random): Draft {
  const query: [string, string][] = [];
  if (random.chance(0.6))
    query.push(['filter_by_prefix', random.pick([...prefixes, 'presence-a', '.*', 'é '])]);
  if (random.chance(0.6)) query.push(['info', random.pick(infos)]);
  return { method: 'GET', path: '/channels', query };
}

function channel(random: Random): Draft {
  const query: [string, string][] = random.chance(0.6) ? [['info', random.pick(infos)]] : [];
  return { method: 'GET', path: `/channels/${segment(channelName(random))}`, query };
}

function channelUsers(random: Random): Draft {
  const name = random.chance(0.6) ? `presence-${random.pick(['a', 'b'])}` : channelName(random);
  return { method: 'GET', path: `/channels/${segment(name)}/users` };
}

function terminate(random: Random): Draft {
  const user = random.chance(0.1)
    ? random.pick(users)
    : random.pick(['nobody', 'a b', 'x'.repeat(300), 'é', '#']);
  return { method: 'POST', path: `/users/${segment(user)}/terminate_connections`, body: fields({}) };
}

function lifecycle(random: Random): Draft {
  const query: [string, string][] = [];
  if (random.chance(0.9)) {
    const position = Buffer.from(JSON.stringify(random.pick([['x'], {}, [1e308], null]))).toString(
      'base64url',
    );
    query.push(['after', random.pick([position, '', '-', 'x'.repeat(17_000), 'é', '%00'])]);
  }
  if (random.chance(0.5)) query.push(['limit', random.pick(['1', '1000', '0', '-1', '1e3', '9999', ''])]);
  return { method: 'GET', path: '/lifecycle', query };
}

function lifecycleSnapshot(): Draft {
  return { method: 'GET', path: '/lifecycle/snapshot' };
}

/** A lone surrogate cannot be percent-encoded. */
function segment(name: string): string {
  return encodeURIComponent(Buffer.from(name).toString());
}

const endpoints = {
  events,
  batch_events: batchEvents,
  channels,
  'channels/:name': channel,
  'channels/:name/users': channelUsers,
  terminate_connections: terminate,
  lifecycle,
  'lifecycle/snapshot': lifecycleSnapshot,
} as const satisfies Record<string, (random: Random) => Draft>;

export type Endpoint = keyof typeof endpoints;
export const endpointNames = Object.keys(endpoints) as readonly Endpoint[];

type Pairs = (readonly [name: string, value: string])[];
type Choose = <T>(values: readonly T[]) => T;
type Misuse = (pairs: Pairs, choose: Choose, now: number) => Pairs;

const without =
  (name: string): Misuse =>
  (pairs) =>
    pairs.filter(([key]) => key !== name);
const replaced =
  (name: string, value: (choose: Choose, now: number) => string): Misuse =>
  (pairs, choose, now) =>
    pairs.map(([key, old]) => [key, key === name ? value(choose, now) : old] as const);

/** What goes wrong with the query before it is signed; nearly always nothing. */
const misuses: readonly (readonly [number, Misuse])[] = [
  [60, (pairs) => pairs],
  [1, without('auth_key')],
  [1, replaced('auth_key', (choose) => choose(['other-key', '', '__proto__', 'x'.repeat(3_000)]))],
  [1, without('auth_version')],
  [1, replaced('auth_version', (choose) => choose(['2.0', '1', '']))],
  [1, without('auth_timestamp')],
  [
    1,
    replaced('auth_timestamp', (choose, now) =>
      choose([String(now - 601), String(now + 602), '1e9', '-1', '9'.repeat(400)]),
    ),
  ],
  [2, without('body_md5')],
  [2, replaced('body_md5', (choose) => choose(['', 'd41d8cd98f00b204e9800998ecf8427e', 'ABC']))],
  [1, (pairs) => [...pairs, ['info', 'user_count'], ['INFO', 'cache']]],
  [1, (pairs) => [...pairs, ['__proto__', 'x'], ['a[]', '1'], ['a[]', '2'], ['', 'y']]],
  [1, (pairs) => [...pairs, ['filter_by_prefix', 'a+b c']]],
];

/** What goes wrong behind the signature; nearly always nothing. */
const afterSigning: readonly (readonly [number, (query: string) => string])[] = [
  [60, (query) => query],
  [1, (query) => `${query}&auth_key=twice`],
  [1, (query) => `${query}&x=%`],
  [1, (query) => `${query}&x=%ff%fe`],
  [1, (query) => query.replace(/auth_signature=.{8}/, 'auth_signature=00000000')],
  [1, (query) => query.replace('auth_signature', 'auth_nothing')],
  [1, (query) => `&&${query}&&=&`],
];

/** A request to this endpoint, right or mutated; most are signed over what they hold, so that it is looked at. */
export function endpointCase(endpoint: Endpoint, random: Random): RequestCase {
  const draft = endpoints[endpoint](random);
  const body = bodyOf(draft, random);
  const misuse = random.weighted(misuses);
  const misuseAt = random.int(2 ** 31);
  const finish = random.weighted(afterSigning);
  const method = random.chance(0.97)
    ? draft.method
    : random.pick(['PUT', 'HEAD', 'OPTIONS', 'DELETE', 'GET', 'POST']);
  const chunked = body !== undefined && random.chance(0.1);
  return {
    kind: 'request',
    of: endpoint,
    isJson: body !== undefined && parses(body),
    isHead: method === 'HEAD',
    mayEnd: false,
    bytes: (publisher) => {
      const path = `/apps/${publisher.appId}${draft.path}`;
      const content = Buffer.from(body ?? '');
      const choose: Choose = (values) => values[misuseAt % values.length]!;
      const pairs = misuse(signable(draft, content, publisher), choose, publisher.nowSeconds);
      const query = finish(signedQuery(method, path, pairs, publisher.secret));
      return httpRequest(method, `${path}?${query}`, content, chunked);
    },
  };
}

function bodyOf({ body }: Draft, random: Random): string | undefined {
  if (body === undefined) return undefined;
  let mutated = body;
  const times = random.weighted([
    [12, 0],
    [6, 1],
    [2, 3],
  ]);
  for (let i = 0; i < times; i++) mutated = mutate(mutated, random);
  const text = encode(mutated);
  return random.chance(0.06) ? breakText(text, random) : text;
}

function signable({ query = [] }: Draft, body: Buffer, { key, nowSeconds }: Publisher): Pairs {
  const md5 = createHash('md5').update(body).digest('hex');
  return [
    ...query,
    ['auth_key', key],
    ['auth_timestamp', String(nowSeconds)],
    ['auth_version', '1.0'],
    ...(body.length === 0 ? [] : [['body_md5', md5] as const]),
  ];
}

function signedQuery(method: string, path: string, pairs: Pairs, secret: string): string {
  const lines = pairs
    .map(([name, value]): [string, string] => [name.toLowerCase(), value])
    .sort(([one], [other]) => (one < other ? -1 : Number(one > other)))
    .map(([name, value]) => `${name}=${value}`);
  const text = `${method}\n${path}\n${lines.join('&')}`;
  const signature = createHmac('sha256', secret).update(text).digest('hex');
  const sent = [...pairs, ['auth_signature', signature] as const];
  return sent.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&');
}

function httpRequest(method: string, target: string, body: Buffer, chunked: boolean): Buffer {
  const head = `${method} ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\n`;
  if (body.length === 0 && method !== 'POST') return Buffer.from(`${head}\r\n`);
  if (!chunked) {
    const length = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    return Buffer.concat([Buffer.from(`${head}${length}`), body]);
  }
  const chunks = [body.subarray(0, 7), body.subarray(7)].filter((chunk) => chunk.length > 0);
  const parts = chunks.flatMap((chunk) => [
    Buffer.from(`${chunk.length.toString(16)}\r\n`),
    chunk,
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([
    Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n`),
    ...parts,
    Buffer.from('0\r\n\r\n'),
  ]);
}

/** Below HTTP: what no library sends, and paths that are none of the API's. */
const rawRequests: readonly (readonly [mayEnd: boolean, text: string])[] = [
  [false, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
  [false, 'GET //apps/app-1/channels HTTP/1.1\r\nHost: x\r\n\r\n'],
  [false, 'GET /apps/../apps/app-1/channels HTTP/1.1\r\nHost: x\r\n\r\n'],
  [false, 'GET http://127.0.0.1/apps/app-1/channels HTTP/1.1\r\nHost: x\r\n\r\n'],
  [false, 'GET /apps/%/channels HTTP/1.1\r\nHost: x\r\n\r\n'],
  [false, 'GET /apps/__proto__/channels HTTP/1.1\r\nHost: x\r\n\r\n'],
  [false, 'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n'],
  [false, 'GET /live HTTP/1.1\r\nHost: x\r\n\r\n'],
  [false, 'POST /apps/app-1/events HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n'],
  [true, 'POST /apps/app-1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n'],
  [true, 'GET /apps/app-1/channels\r\n\r\n'],
  [true, 'GARBAGE\u0000\r\n\r\n'],
  [true, '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc'],
  [true, 'GET / HTTP/1.1\r\nHost x\r\n\r\n'],
  [true, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n'],
  [true, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc'],
  [true, `GET / HTTP/1.1\r\nHost: x\r\nX: ${'h'.repeat(20_000)}\r\n\r\n`],
  [
    true,
    'GET /app/278d425bdf160c739803 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
  ],
  [
    true,
    'GET /app/x HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 7\r\n\r\n',
  ],
];

export function rawRequestCase(random: Random): RequestCase {
  const [mayEnd, text] = random.pick(rawRequests);
  return {
    kind: 'request',
    of: 'raw request',
    isJson: false,
    isHead: false,
    mayEnd,
    bytes: () => Buffer.from(text, 'latin1'),
  };
}
