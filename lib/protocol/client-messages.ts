import { SpillwayError } from '../errors/spillway-error.ts';
import { isJsonObject, type JsonObject, ownField, parseJson, stringifyJson } from './json.ts';
import { maxEventNameLength } from './limits.ts';
import type { EncodedData } from './server-messages.ts';

/** One frame of a client, decoded: its shape is right, its channel, signature and rights are unchecked (protocol.md 2.1). */
export type ClientMessage =
  | {
      readonly kind: 'subscribe';
      readonly channel: string;
      readonly auth: string | undefined;
      readonly channelData: string | undefined;
    }
  | { readonly kind: 'unsubscribe'; readonly channel: string }
  | { readonly kind: 'signin'; readonly auth: string; readonly userData: string }
  | ClientEventMessage
  | { readonly kind: 'ping' }
  | { readonly kind: 'pong' };

export interface ClientEventMessage {
  readonly kind: 'client-event';
  readonly event: string;
  readonly channel: string;
  readonly data: string;
  /** When the decoder came by it. */
  readonly encoded?: EncodedData;
}

/** More than any valid channel name: what is longer is not even quoted back. */
const maxChannelFieldLength = 1000;

/** Decodes the text of one frame and throws an error of the catalogue when it is not a known message (protocol.md 2.1). */
export function decodeClientMessage(text: string): ClientMessage {
  const frame = parseJson(text);
  if (!isJsonObject(frame)) throw new SpillwayError('message.malformed');
  const event = ownField(frame, 'event');
  if (typeof event !== 'string') throw new SpillwayError('message.malformed');
  return event.startsWith('client-') ? clientEvent(event, frame) : command(event, frame);
}

function command(event: string, frame: JsonObject): ClientMessage {
  switch (event) {
    case 'pusher:ping':
      return { kind: 'ping' };
    case 'pusher:pong':
      return { kind: 'pong' };
    case 'pusher:subscribe':
      return subscribe(event, commandData(event, frame));
    case 'pusher:unsubscribe':
      return { kind: 'unsubscribe', channel: channelField(event, commandData(event, frame)) };
    case 'pusher:signin':
      return signin(event, commandData(event, frame));
    default:
      throw new SpillwayError('message.unknown-event', { event });
  }
}

function subscribe(event: string, data: JsonObject): ClientMessage {
  const channel = channelField(event, data);
  const auth = optionalString(event, data, 'auth');
  const channelData = optionalString(event, data, 'channel_data');
  return { kind: 'subscribe', channel, auth: auth === '' ? undefined : auth, channelData };
}

function signin(event: string, data: JsonObject): ClientMessage {
  const auth = requiredString(event, data, 'auth');
  return { kind: 'signin', auth, userData: requiredString(event, data, 'user_data') };
}

function clientEvent(event: string, frame: JsonObject): ClientMessage {
  if (event.length > maxEventNameLength) {
    throw new SpillwayError('client-event.name-length', { limit: maxEventNameLength });
  }
  const data = ownField(frame, 'data');
  if (data === undefined || typeof ownField(frame, 'channel') !== 'string') {
    throw new SpillwayError('client-event.fields');
  }
  return { kind: 'client-event', event, channel: channelField(event, frame), data: stringForm(event, data) };
}

/** What a subscriber gets is a string: anything else the client wrote becomes its JSON (protocol.md 6). */
function stringForm(event: string, data: unknown): string {
  const text = typeof data === 'string' ? data : stringifyJson(data);
  if (text === undefined) throw invalidField(event, 'data', 'nested less deeply');
  return text;
}

/** The data of a command is an object; some clients send it as JSON text (protocol.md 2.2). */
function commandData(event: string, frame: JsonObject): JsonObject {
  const data = ownField(frame, 'data');
  const object = typeof data === 'string' ? parseJson(data) : data;
  if (!isJsonObject(object)) throw invalidField(event, 'data', 'an object');
  return object;
}

function channelField(event: string, data: JsonObject): string {
  const channel = requiredString(event, data, 'channel');
  if (channel.length <= maxChannelFieldLength) return channel;
  throw invalidField(event, 'channel', `at most ${maxChannelFieldLength} characters long`);
}

function requiredString(event: string, data: JsonObject, field: string): string {
  const value = ownField(data, field);
  if (typeof value !== 'string') throw invalidField(event, field, 'a string');
  return value;
}

/** Absent and null are the same: some clients write the fields they do not use as null. */
function optionalString(event: string, data: JsonObject, field: string): string | undefined {
  const value = ownField(data, field) ?? undefined;
  if (value !== undefined && typeof value !== 'string') throw invalidField(event, field, 'a string');
  return value;
}

function invalidField(event: string, field: string, expected: string): SpillwayError {
  return new SpillwayError('message.invalid-field', { event, field, expected });
}
