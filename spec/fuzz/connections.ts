import { catalogue } from '../../lib/errors/catalogue.ts';
import {
  closeCodeOf,
  connectRaw,
  encodeFrame,
  opcodes,
  openRaw,
  type RawSocket,
} from '../support/raw-socket.ts';
import type { FrameCase, Sender } from './frames.ts';
import type { Publisher, RequestCase } from './requests.ts';
import type { Tally } from './tally.ts';

/** Where the cases go. */
export interface FuzzTarget {
  readonly port: number;
  readonly appId: string;
  readonly key: string;
  readonly secret: string;
}

export interface Numbered<C> {
  readonly index: number;
  readonly case: C;
}

/** What a fuzzed user is closed with when another case terminates it. */
const terminated = 4009;
const frameKeys = new Set(['event', 'channel', 'data', 'user_id']);

/** One WebSocket of the fuzzer. A closed one is replaced; what it had not been answered yet is sent again. */
export class FuzzConnection {
  readonly #target: FuzzTarget;
  readonly #tally: Tally;
  #raw: RawSocket | undefined;
  #sender: Sender | undefined;
  #probes = 0;

  constructor(target: FuzzTarget, tally: Tally) {
    this.#target = target;
    this.#tally = tally;
  }

  /** Sends frames, and waits until the server has dealt with all of them. */
  async send(cases: readonly Numbered<FrameCase>[]): Promise<void> {
    let batch: Numbered<FrameCase>[] = [];
    for (const numbered of cases) {
      batch.push(numbered);
      if (numbered.case.closes.length === 0) continue;
      await this.#deliver(batch);
      batch = [];
    }
    if (batch.length > 0) await this.#deliver(batch);
  }

  close(): void {
    this.#raw?.reset();
  }

  async #deliver(batch: readonly Numbered<FrameCase>[]): Promise<void> {
    const { closes } = batch.at(-1)!.case;
    for (;;) {
      const { raw, sender } = await this.#connected();
      const probe = `probe ${++this.#probes}`;
      const frames = batch.map(({ case: { bytes } }) => bytes(sender));
      raw.write(Buffer.concat([...frames, encodeFrame(opcodes.ping, probe)]));
      const code = await this.#readUntil(raw, probe);
      if (code !== undefined) this.#forget(code);
      // A user whom another case terminates was not heard out: the same again on a new connection.
      if (code === terminated) continue;
      const isRight = code === undefined ? closes.length === 0 : closes.includes(code);
      if (!isRight) {
        const numbers = batch.map(({ index }) => index).join(', ');
        this.#tally.problem(
          `closed with ${code ?? 'nothing'} instead of ${closes.join()} by one of ${numbers}`,
        );
      }
      return;
    }
  }

  #forget(code: number): void {
    this.#tally.closes.add(code);
    this.#raw?.socket.destroy();
    this.#raw = undefined;
  }

  async #connected(): Promise<{ readonly raw: RawSocket; readonly sender: Sender }> {
    if (this.#raw !== undefined && this.#sender !== undefined)
      return { raw: this.#raw, sender: this.#sender };
    const { raw, socketId } = await connectRaw(this.#target);
    const { key, secret } = this.#target;
    this.#tally.replaced++;
    this.#raw = raw;
    this.#sender = { socketId, key, secret };
    return { raw, sender: this.#sender };
  }

  /** Reads to the answer of the probe, or to the close; answers the close code. */
  async #readUntil(raw: RawSocket, probe: string): Promise<number | undefined> {
    for (;;) {
      const frame = await raw.nextFrame().catch(() => undefined);
      if (frame === undefined) return 1006;
      if (frame.opcode === opcodes.close) return closeCodeOf(frame);
      if (frame.opcode === opcodes.pong && frame.payload.toString() === probe) return undefined;
      if (frame.opcode === opcodes.text) this.#check(frame.payload.toString());
    }
  }

  #check(text: string): void {
    const frame = JSON.parse(text) as Record<string, unknown>;
    const { event, data } = frame;
    const isShaped = Object.keys(frame).every((key) => frameKeys.has(key)) && typeof event === 'string';
    const isError = event === 'pusher:error';
    if (!isShaped || (isError ? typeof data !== 'object' : typeof data !== 'string')) {
      this.#tally.problem(`the server sent ${text.slice(0, 200)}`);
    }
    if (text.includes('of-the-neighbour'))
      this.#tally.problem(`a frame of another app arrived: ${text.slice(0, 200)}`);
    const name = String(event);
    this.#tally.events.add(
      name.startsWith('pusher') ? name : name.startsWith('client-') ? 'client-*' : 'published',
    );
  }
}

/** One keep-alive connection of the HTTP API. */
export class FuzzCaller {
  readonly #target: FuzzTarget;
  readonly #tally: Tally;
  #raw: RawSocket | undefined;

  constructor(target: FuzzTarget, tally: Tally) {
    this.#target = target;
    this.#tally = tally;
  }

  async send(cases: readonly Numbered<RequestCase>[]): Promise<void> {
    for (const numbered of cases) await this.#call(numbered);
  }

  close(): void {
    this.#raw?.reset();
  }

  async #call({ index, case: { bytes, isHead, mayEnd } }: Numbered<RequestCase>): Promise<void> {
    const { appId, key, secret } = this.#target;
    const publisher: Publisher = { appId, key, secret, nowSeconds: Math.floor(Date.now() / 1000) };
    const raw = (this.#raw ??= await openRaw(this.#target.port));
    raw.write(bytes(publisher));
    try {
      let answer = await raw.answer(isHead);
      if (answer.status === 100) answer = await raw.answer();
      this.#tally.statuses.add(answer.status);
      this.#check(index, answer.status, isHead ? undefined : answer.body);
      if (!mayEnd && answer.headers.get('connection') !== 'close') return;
    } catch (error) {
      if (!mayEnd) this.#tally.problem(`case ${index}: ${String(error)}`);
      this.#tally.statuses.add('ended without an answer');
    }
    raw.socket.destroy();
    this.#raw = undefined;
  }

  #check(index: number, status: number, body: string | undefined): void {
    if (status >= 500) this.#tally.problem(`case ${index}: answered with ${status} ${body ?? ''}`);
    if (body === undefined || body === '') return;
    const answer = (body.startsWith('{') ? JSON.parse(body) : {}) as { code?: unknown };
    if (status !== 200 && typeof answer.code === 'string') {
      if (!Object.hasOwn(catalogue, answer.code))
        this.#tally.problem(`case ${index}: unknown code ${answer.code}`);
    }
  }
}
