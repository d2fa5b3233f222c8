import { CanonicalJson } from './canonical-json.ts';
import type { ClientEventMessage } from './client-messages.ts';
import { maxEventNameLength } from './limits.ts';

const quote = 0x22;
const backslash = 0x5c;
const closeBrace = 0x7d;
const frameStart = Buffer.from('{"event":"client-');
const eventStart = '{"event":"'.length;
const dataField = Buffer.from(',"data":');
const channelField = Buffer.from(',"channel":"');

/** Longer frames, and channel names too long to be valid, are left to the general decoder, which says what is wrong. */
const maxFrameBytes = 16_384;
const maxChannelBytes = 200;

/**
 * Reads client events out of frames as the client libraries write them, `event` first and `data` and `channel` in either
 * order, without parsing `data` (protocol.md 6). It reads what is certain to mean the same to the general decoder and
 * answers undefined for everything else, other messages and mistakes among it.
 */
export class ClientEventReader {
  readonly #json = new CanonicalJson(maxFrameBytes);
  #dataStart = 0;
  #dataEnd = 0;
  #channelStart = 0;
  #channelEnd = 0;

  /** `frame` is valid UTF-8. */
  read(frame: Buffer): ClientEventMessage | undefined {
    if (frame.length > maxFrameBytes || !standsAt(frame, 0, frameStart)) return undefined;
    const eventEnd = nameEnd(frame, eventStart, maxEventNameLength);
    if (eventEnd < 0 || !this.#readFields(frame, eventEnd + 1)) return undefined;
    const event = frame.toString('latin1', eventStart, eventEnd);
    const channel = frame.toString('latin1', this.#channelStart, this.#channelEnd);
    const json = this.#dataJson(frame);
    const data = this.#data(frame, json);
    return { kind: 'client-event', event, channel, data, encoded: { data, json } };
  }

  /** Data and channel, once each, and then the end of the frame. */
  #readFields(frame: Buffer, start: number): boolean {
    const isDataFirst = standsAt(frame, start, dataField);
    let at = isDataFirst ? this.#readData(frame, start) : this.#readChannel(frame, start);
    if (at >= 0) at = isDataFirst ? this.#readChannel(frame, at) : this.#readData(frame, at);
    return at >= 0 && frame[at] === closeBrace && at + 1 === frame.length;
  }

  #readData(frame: Buffer, at: number): number {
    if (!standsAt(frame, at, dataField)) return -1;
    this.#dataStart = at + dataField.length;
    this.#json.begin();
    this.#dataEnd = this.#json.readValue(frame, this.#dataStart);
    return this.#dataEnd;
  }

  #readChannel(frame: Buffer, at: number): number {
    if (!standsAt(frame, at, channelField)) return -1;
    this.#channelStart = at + channelField.length;
    this.#channelEnd = nameEnd(frame, this.#channelStart, maxChannelBytes);
    return this.#channelEnd < 0 ? -1 : this.#channelEnd + 1;
  }

  /** A string is its own JSON, anything else is JSON text that becomes a string. */
  #dataJson(frame: Buffer): string {
    if (frame[this.#dataStart] === quote) return this.#text(frame, this.#dataStart, this.#dataEnd);
    const { escaped, escapedBytes } = this.#json;
    return `"${this.#text(escaped, 0, escapedBytes)}"`;
  }

  #data(frame: Buffer, json: string): string {
    if (frame[this.#dataStart] !== quote) return this.#text(frame, this.#dataStart, this.#dataEnd);
    return json.includes('\\') ? (JSON.parse(json) as string) : json.slice(1, -1);
  }

  #text(bytes: Buffer, start: number, end: number): string {
    return this.#json.isAscii ? bytes.toString('latin1', start, end) : bytes.toString('utf8', start, end);
  }
}

function standsAt(frame: Buffer, at: number, expected: Buffer): boolean {
  for (let i = 0; i < expected.length; i++) {
    if (frame[at + i] !== expected[i]) return false;
  }
  return true;
}

/** Where a name of printable ASCII ends that stands in quotes and has no escapes; -1 when it is anything else. */
function nameEnd(frame: Buffer, start: number, maxBytes: number): number {
  for (let at = start; at <= start + maxBytes; at++) {
    const byte = frame[at] ?? 0;
    if (byte === quote) return at;
    if (byte < 0x20 || byte > 0x7e || byte === backslash) return -1;
  }
  return -1;
}
