import { createHmac } from 'node:crypto';
import { encodeFrame, opcodes } from '../support/raw-socket.ts';
import { breakText, encode, fields, type Json, mutate, parses } from './json.ts';
import type { Random } from './random.ts';
import { channelData, channelName, payload, userData } from './vocabulary.ts';

export interface Sender {
  readonly socketId: string;
  readonly key: string;
  readonly secret: string;
}

/** One frame on its way to the server. */
export interface FrameCase {
  readonly kind: 'frame';
  /** What it was made from: a command, or `raw`. */
  readonly of: string;
  /** Close codes it may be answered with; for most there is none. */
  readonly closes: readonly number[];
  /** The bytes on the wire; signatures are made here, because they contain the socket id. */
  readonly bytes: (sender: Sender) => Buffer;
  readonly isJson: boolean;
}

type Sign = (sender: Sender, text: string) => string;

/** Stands in the document where a signature belongs; its text depends on the connection. */
const placeholder = 'AUTH-OF-THIS-CONNECTION';

/** Four of five hold. The others are what a client may get wrong, or try. */
function signer(random: Random): Sign {
  const hmac = (secret: string, text: string): string =>
    createHmac('sha256', secret).update(text).digest('hex');
  const good: Sign = ({ key, secret }, text) => `${key}:${hmac(secret, text)}`;
  return random.weighted<Sign>([
    [16, good],
    [1, ({ key }, text) => `${key}:${hmac('wrong', text)}`],
    [1, ({ secret }, text) => `other-key:${hmac(secret, text)}`],
    [1, ({ key }) => key],
    [1, (sender, text) => good(sender, `${text} `).slice(0, -1)],
  ]);
}

interface Draft {
  readonly document: Json;
  /** What the signature is over, behind the socket id. */
  readonly signed?: string;
}

function subscribe(random: Random): Draft {
  const channel = channelName(random);
  const wantsData = channel.startsWith('presence-') ? random.chance(0.85) : random.chance(0.05);
  const data = wantsData ? channelData(random) : undefined;
  const needsAuth = channel.startsWith('private-') || channel.startsWith('presence-');
  const auth = needsAuth && random.chance(0.95) ? placeholder : random.pick([undefined, '', null]);
  return {
    document: fields({ event: 'pusher:subscribe', data: fields({ auth, channel, channel_data: data }) }),
    signed: `:${channel}${data === undefined || !channel.startsWith('presence-') ? '' : `:${data}`}`,
  };
}

function unsubscribe(random: Random): Draft {
  return {
    document: fields({ event: 'pusher:unsubscribe', data: fields({ channel: channelName(random) }) }),
  };
}

function signin(random: Random): Draft {
  const data = userData(random);
  return {
    document: fields({ event: 'pusher:signin', data: fields({ auth: placeholder, user_data: data }) }),
    signed: `::user::${data}`,
  };
}

function clientEvent(random: Random): Draft {
  const event = random.chance(0.9)
    ? 'client-typing'
    : random.pick(['client-', `client-${'e'.repeat(194)}`, 'client-\ud800']);
  const forged = random.chance(0.2) ? 'forged' : undefined;
  const channel = random.chance(0.8)
    ? `${random.pick(['private-', 'presence-', 'private-encrypted-'])}a`
    : channelName(random);
  return { document: fields({ event, data: payload(random), channel, user_id: forged }) };
}

const empty =
  (event: string) =>
  (random: Random): Draft => ({
    document: fields({
      event,
      data: random.pick<Json | undefined>([fields({}), '{}', undefined, null, 'x']),
    }),
  });

function unknown(random: Random): Draft {
  const event = random.pick([
    'pusher:connection_established',
    'pusher:error',
    'pusher_internal:member_added',
    'pusher_internal:subscription_succeeded',
    'pusher:subscribed',
    'Pusher:subscribe',
    'hello',
    'x-client-y',
    'E'.repeat(2_000),
    '__proto__',
  ]);
  return { document: fields({ event, channel: channelName(random), data: payload(random) }) };
}

const commands = {
  subscribe,
  unsubscribe,
  signin,
  'client event': clientEvent,
  ping: empty('pusher:ping'),
  pong: empty('pusher:pong'),
  unknown,
} as const satisfies Record<string, (random: Random) => Draft>;

export type Command = keyof typeof commands;
export const commandNames = Object.keys(commands) as readonly Command[];

/** A frame of this command, right or mutated. */
export function commandCase(command: Command, random: Random): FrameCase {
  const { document, signed = '' } = commands[command](random);
  const sign = signer(random);
  const mutated = mutateSome(document, random);
  const text = encode(mutated);
  const template = withinLimit(random.chance(0.06) ? breakText(text, random) : text);
  const split = random.chance(0.03) ? random.int(40) : 0;
  return {
    kind: 'frame',
    of: command,
    closes: Buffer.byteLength(template) > maxPayloadBytes ? [1009] : [],
    isJson: parses(template),
    bytes: (sender) => {
      const text = template.replaceAll(placeholder, sign(sender, `${sender.socketId}${signed}`));
      return split === 0 ? encodeFrame(opcodes.text, text) : fragments(Buffer.from(text), split);
    },
  };
}

const maxPayloadBytes = 65_536;

/** Far below the limit or far above it: how long a signature is decides nothing. */
function withinLimit(text: string): string {
  return Math.abs(Buffer.byteLength(text) - maxPayloadBytes) < 500 ? text.slice(0, 1_000) : text;
}

function mutateSome(document: Json, random: Random): Json {
  const times = random.weighted<number>([
    [14, 0],
    [5, 1],
    [1, 3],
  ]);
  let mutated = document;
  for (let i = 0; i < times; i++) mutated = mutate(mutated, random);
  return mutated;
}

/** One message in two frames, with a ping between them, as the protocol allows. */
function fragments(payload: Buffer, at: number): Buffer {
  return Buffer.concat([
    encodeFrame(opcodes.text, payload.subarray(0, at), { fin: false }),
    encodeFrame(opcodes.ping, 'between'),
    encodeFrame(opcodes.continuation, payload.subarray(at)),
  ]);
}

/** Below JSON: frames no client library makes, each with what RFC 6455 or the server's limits close it with. */
const rawFrames: readonly (readonly [
  weight: number,
  closes: readonly number[],
  make: (random: Random) => Buffer,
])[] = [
  [6, [], (random) => encodeFrame(opcodes.binary, Buffer.from(noise(random, random.int(300))))],
  [
    6,
    [],
    (random) =>
      encodeFrame(opcodes.text, random.pick(['', 'x', '[]', 'null', '1', '"pusher:ping"', '{}', '[{}]'])),
  ],
  [6, [], (random) => encodeFrame(opcodes.text, noise(random, random.int(200)).toString('latin1'))],
  [3, [], (random) => encodeFrame(opcodes.ping, noise(random, 125))],
  [3, [], (random) => encodeFrame(opcodes.pong, noise(random, 10))],
  [1, [1007], () => encodeFrame(opcodes.text, Buffer.from([0x7b, 0xff, 0xfe, 0xc0, 0xaf, 0x7d]))],
  [1, [1002], () => encodeFrame(opcodes.text, '{}', { masked: false })],
  [1, [1002], (random) => encodeFrame(opcodes.text, '{}', { rsv: 1 + random.int(7) })],
  [1, [1002], (random) => encodeFrame(random.pick([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), 'x')],
  [1, [1002], () => encodeFrame(opcodes.continuation, 'x')],
  [1, [1002], () => encodeFrame(opcodes.ping, 'x'.repeat(126))],
  [1, [1002], () => encodeFrame(opcodes.close, Buffer.from([3]))],
  [1, [1009], () => encodeFrame(opcodes.text, '', { claimedLength: 10 * 1024 * 1024 })],
  [1, [1009], () => encodeFrame(opcodes.text, 'z'.repeat(65_537))],
  [
    1,
    [1000, 1005],
    (random) => encodeFrame(opcodes.close, random.pick([Buffer.alloc(0), Buffer.from([3, 232])])),
  ],
];

export function rawFrameCase(random: Random): FrameCase {
  const [closes, make] = random.weighted(rawFrames.map(([weight, ...rest]) => [weight, rest] as const));
  const bytes = make(random);
  return { kind: 'frame', of: 'raw frame', closes, isJson: false, bytes: () => bytes };
}

function noise(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.int(256)));
}
