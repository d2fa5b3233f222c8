import type { Config } from '../../../config/schema.ts';
import { SpillwayError } from '../../errors/spillway-error.ts';
import { type ChannelName, parseChannelName } from '../../protocol/channel-name.ts';
import { type JsonObject, ownField, stringifyJson } from '../../protocol/json.ts';
import { maxChannelsPerEvent, maxEventNameLength } from '../../protocol/limits.ts';
import { isSocketId } from '../../protocol/socket-id.ts';
import type { PublishRequestEvent } from '../events.ts';

/** One event of a request, checked (protocol.md 7.4). A batch item names one `channel`; `/events` may name many. */
export function toRequestEvent(
  fields: JsonObject,
  config: Config,
  form: 'event' | 'batch item',
): PublishRequestEvent {
  return {
    event: eventName(fields),
    data: eventData(fields, config.http.maxEventBytes),
    channels: form === 'event' ? eventChannels(fields) : [singleChannel(fields)],
    exceptSocketId: exceptSocketId(fields),
    info: requestedInfo(fields),
  };
}

function eventName(fields: JsonObject): string {
  const name = required(fields, 'name');
  if (typeof name !== 'string') throw invalid('name', 'a string');
  if (name === '' || name.length > maxEventNameLength)
    throw invalid('name', `1 to ${maxEventNameLength} characters`);
  if (name.startsWith('pusher:') || name.startsWith('pusher_internal:')) {
    throw new SpillwayError('http.reserved-event', { name });
  }
  return name;
}

/** The text that is delivered verbatim; what is not a string is delivered as its JSON. */
function eventData(fields: JsonObject, limitBytes: number): string {
  const data = required(fields, 'data');
  const text = typeof data === 'string' ? data : stringifyJson(data);
  if (text === undefined) throw invalid('data', 'a string');
  if (Buffer.byteLength(text) > limitBytes) throw new SpillwayError('http.data-too-large', { limitBytes });
  return text;
}

function eventChannels(fields: JsonObject): readonly ChannelName[] {
  const channels = ownField(fields, 'channels');
  if (channels === undefined) return [singleChannel(fields)];
  if (!Array.isArray(channels)) throw invalid('channels', 'an array of strings');
  if (channels.length === 0) throw new SpillwayError('http.missing-parameter', { parameter: 'channels' });
  if (channels.length > maxChannelsPerEvent) {
    throw new SpillwayError('http.too-many-channels', { given: channels.length, limit: maxChannelsPerEvent });
  }
  const names = [...new Set<unknown>(channels)].map((name) => channelName(name, 'channels'));
  if (names.length > 1 && names.some((name) => name.kind === 'encrypted')) {
    throw invalid('channels', 'one channel only when it is encrypted');
  }
  return names;
}

function singleChannel(fields: JsonObject): ChannelName {
  return channelName(required(fields, 'channel'), 'channel');
}

function channelName(name: unknown, parameter: string): ChannelName {
  const parsed = typeof name === 'string' ? parseChannelName(name) : undefined;
  if (parsed === undefined)
    throw invalid(parameter, 'valid channel names of 1 to 200 characters A-Z a-z 0-9 _ - = @ , . ;');
  return parsed;
}

/** Front-ends send "undefined" and the like: what is no socket id excludes nobody. */
function exceptSocketId(fields: JsonObject): string | undefined {
  const socketId = ownField(fields, 'socket_id');
  if (socketId === undefined || socketId === null) return undefined;
  if (typeof socketId !== 'string') throw invalid('socket_id', 'a string');
  return isSocketId(socketId) ? socketId : undefined;
}

function requestedInfo(fields: JsonObject): ReadonlySet<string> {
  const info = ownField(fields, 'info');
  if (info === undefined || info === null) return new Set();
  if (typeof info !== 'string') throw invalid('info', 'a string such as user_count,subscription_count');
  return new Set(info.split(',').map((attribute) => attribute.trim()));
}

function required(fields: JsonObject, parameter: string): unknown {
  const value = ownField(fields, parameter);
  if (value === undefined) throw new SpillwayError('http.missing-parameter', { parameter });
  return value;
}

function invalid(parameter: string, expected: string): SpillwayError {
  return new SpillwayError('http.invalid-parameter', { parameter, expected });
}
