import { connect, type TestClient } from '../support/client.ts';
import { type ServerProcess, startServerProcess } from '../support/process.ts';
import { testApp } from '../support/server.ts';
import type { FuzzOptions } from './fuzz.ts';
import { breakText, encode, Fields, fields, type Json, mutate, oddValue } from './json.ts';
import { type Random, randomOf } from './random.ts';
import { payload } from './vocabulary.ts';

export interface FastPathsResult {
  /** Events that the peers got, and frames that were answered with an error. */
  readonly delivered: number;
  readonly refused: number;
  /** The first round in which the two servers said different things, if there was one. */
  readonly difference: string | undefined;
}

const casesPerRound = 200;
const channels = ['private-a', 'private-encrypted-a', 'presence-a'] as const;
const keys = ['a', 'b', 'c', 'name', 'text', '', '1', '0', 'é', '"', '__proto__', 'constructor'];

/**
 * Sends the same client events to a server that takes its short cuts and to one that takes none, and compares what the
 * peers and the sender are sent, byte for byte.
 */
export async function compareFastPaths({ cases, seed }: FuzzOptions): Promise<FastPathsResult> {
  const sides = await Promise.all([Side.start(true), Side.start(false)]);
  try {
    return await compare(sides, cases, seed);
  } finally {
    await Promise.all(sides.map((side) => side.stop()));
  }
}

async function compare(sides: readonly Side[], cases: number, seed: number): Promise<FastPathsResult> {
  let delivered = 0;
  let refused = 0;
  let difference: string | undefined;
  for (let from = 0; from < cases && difference === undefined; from += casesPerRound) {
    const count = Math.min(casesPerRound, cases - from);
    const frames = Array.from({ length: count }, (_, i) => clientEventText(randomOf(seed, from + i)));
    const [fast, general] = (await Promise.all(sides.map((side) => side.say(frames)))) as [Heard, Heard];
    delivered += general.peer.length;
    refused += general.sender.length;
    difference = differenceOf(fast, general, `cases ${from} to ${from + count} of seed ${seed}`);
  }
  return { delivered, refused, difference };
}

interface Heard {
  readonly peer: readonly string[];
  readonly sender: readonly string[];
}

/** One server with a sender and a peer on it. */
class Side {
  readonly #server: ServerProcess;
  readonly #sender: TestClient;
  readonly #peer: TestClient;

  private constructor(server: ServerProcess, sender: TestClient, peer: TestClient) {
    this.#server = server;
    this.#sender = sender;
    this.#peer = peer;
  }

  static async start(fastPaths: boolean): Promise<Side> {
    const app = { ...testApp, clientEvents: { enabled: true, perSecond: 0 } };
    // Some frames are larger than a server usually takes: they would end the connection.
    const server = await startServerProcess({
      apps: [app],
      server: { fastPaths, maxPayloadBytes: 4_194_304 },
    });
    const [sender, peer] = [await connect(server), await connect(server)];
    for (const client of [peer, sender]) {
      for (const channel of channels) {
        const member = client === sender ? 'u1' : 'u2';
        await client.subscribed(channel, channel.startsWith('presence-') ? { user_id: member } : undefined);
      }
    }
    await peer.drain();
    return new Side(server, sender, peer);
  }

  async say(frames: readonly string[]): Promise<Heard> {
    for (const frame of frames) this.#sender.sendText(frame);
    const sender = await this.#sender.drain();
    const peer = await this.#peer.drain();
    // Order is promised within a channel, not between channels.
    const byChannel = channels.flatMap((name) => peer.filter(({ channel }) => channel === name));
    if (byChannel.length < peer.length) throw new Error('the peer heard of a channel it did not join');
    return { sender: sender.map(({ raw }) => raw), peer: byChannel.map(({ raw }) => raw) };
  }

  async stop(): Promise<void> {
    await Promise.all([this.#sender.close(), this.#peer.close()]);
    await this.#server.stop();
  }
}

function differenceOf(fast: Heard, general: Heard, where: string): string | undefined {
  for (const who of ['peer', 'sender'] as const) {
    const [one, other] = [fast[who], general[who]];
    const at = one.findIndex((text, i) => text !== other[i]);
    if (at < 0 && one.length === other.length) continue;
    const place = at < 0 ? Math.min(one.length, other.length) : at;
    return `${where}: the ${who} heard ${one[place] ?? 'nothing'} by the short cut, ${other[place] ?? 'nothing'} without`;
  }
  return undefined;
}

/** A client event as pusher-js writes it, or what may become of one. */
function clientEventText(random: Random): string {
  const members: [string, Json][] = [
    ['event', random.chance(0.95) ? 'client-typing' : random.pick(['client-', 'client-\ud800', 'client-é"'])],
    ['data', random.chance(0.7) ? document(random, 0) : payload(random)],
    ['channel', random.chance(0.97) ? random.pick(channels) : random.pick(['a', 'private-b', 'presence-\n'])],
  ];
  if (random.chance(0.1)) members.reverse();
  if (random.chance(0.05))
    members.push([random.pick(['user_id', 'data', 'event', 'channel']), oddValue(random)]);
  const whole: Json = new Fields(members);
  const text = encode(random.chance(0.15) ? mutate(whole, random) : whole);
  if (random.chance(0.1)) return breakText(text, random);
  return random.chance(0.1) ? text.replaceAll(random.pick([',', ':', '}']), (found) => `${found} `) : text;
}

/** An object or a list of few levels, some of its keys given twice. */
function document(random: Random, depth: number): Json {
  const value = (): Json => {
    if (depth < 4 && random.chance(0.25)) return document(random, depth + 1);
    return random.chance(0.1)
      ? oddValue(random)
      : random.pick<Json>(['x', 'some words', 12, 1.5, true, null, fields({})]);
  };
  const count = random.int(5);
  if (random.chance(0.2)) return Array.from({ length: count }, value);
  return new Fields(Array.from({ length: count }, () => [random.pick(keys), value()]));
}
