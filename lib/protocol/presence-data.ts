import { SpillwayError } from '../errors/spillway-error.ts';
import { isSignedInUserId } from './channel-name.ts';
import { isJsonObject, type JsonObject, ownField, parseJson, stringifyJson } from './json.ts';
import { maxSignedInUserIdLength } from './limits.ts';

interface ChannelDataLimits {
  readonly maxUserIdLength: number;
  readonly maxUserInfoBytes: number;
}

interface ChannelData {
  readonly userId: string;
  readonly userInfoJson: string | undefined;
}

interface UserData {
  readonly id: string;
  readonly userInfoJson: string | undefined;
  readonly watchlist: readonly string[];
}

/** Parses the `channel_data` of a presence subscription; call it only after its signature held (protocol.md 3.3). */
export function parseChannelData(
  channel: string,
  channelData: string,
  limits: ChannelDataLimits,
): ChannelData {
  const data = parseJson(channelData);
  if (!isJsonObject(data)) throw channelDataError(channel, 'it must be a JSON object');
  const userId = memberId(channel, ownField(data, 'user_id'), limits.maxUserIdLength);
  return { userId, userInfoJson: memberInfo(channel, data, limits.maxUserInfoBytes) };
}

/** Parses the `user_data` of a sign-in; call it only after its signature held (protocol.md 5). */
export function parseUserData(userData: string): UserData {
  const data = parseJson(userData);
  if (!isJsonObject(data)) throw userDataError('it must be a JSON object');
  const id = signedInUserId(ownField(data, 'id'));
  return { id, userInfoJson: signedInUserInfo(data), watchlist: watchlistOf(data) };
}

function memberId(channel: string, userId: unknown, maxLength: number): string {
  const isId = typeof userId === 'string' || (typeof userId === 'number' && Number.isFinite(userId));
  if (!isId) throw channelDataError(channel, 'user_id must be a string or a finite number');
  const id = String(userId);
  if (id === '') throw channelDataError(channel, 'user_id must not be empty');
  // Half a character has no bytes: nodes and webhooks would take different users for one.
  if (/\p{Surrogate}/u.test(id)) throw channelDataError(channel, 'user_id must be valid Unicode');
  if (id.length > maxLength)
    throw channelDataError(channel, `user_id is longer than ${maxLength} characters`);
  return id;
}

function memberInfo(channel: string, data: JsonObject, maxBytes: number): string | undefined {
  const refusal = (problem: string): SpillwayError =>
    new SpillwayError('subscription.user-info', { channel, problem });
  const json = userInfoJson(data, refusal);
  if (json !== undefined && Buffer.byteLength(json) > maxBytes)
    throw refusal(`it is larger than ${maxBytes} bytes`);
  return json;
}

function signedInUserId(id: unknown): string {
  if (typeof id === 'number') throw userDataError('id must be a string, not a number: write it in quotes');
  if (typeof id !== 'string' || id === '') throw userDataError('id must be a non-empty string');
  if (isSignedInUserId(id)) return id;
  const rule = `at most ${maxSignedInUserIdLength} characters of A-Z a-z 0-9 _ - = @ , . ;`;
  throw userDataError(`id must be ${rule}`);
}

function signedInUserInfo(data: JsonObject): string | undefined {
  return userInfoJson(data, (problem) => userDataError(`user_info is refused: ${problem}`));
}

/** Null means that there is none; what is there must be an object. */
function userInfoJson(data: JsonObject, refusal: (problem: string) => SpillwayError): string | undefined {
  const userInfo = ownField(data, 'user_info') ?? undefined;
  if (userInfo === undefined) return undefined;
  if (!isJsonObject(userInfo)) throw refusal('it must be an object');
  const json = stringifyJson(userInfo);
  if (json === undefined) throw refusal('it is nested too deeply');
  return json;
}

function watchlistOf(data: JsonObject): readonly string[] {
  const watchlist = ownField(data, 'watchlist') ?? [];
  if (!Array.isArray(watchlist) || !watchlist.every((id) => typeof id === 'string')) {
    throw userDataError('watchlist must be an array of strings');
  }
  return [...new Set(watchlist)];
}

function channelDataError(channel: string, problem: string): SpillwayError {
  return new SpillwayError('subscription.channel-data', { channel, problem });
}

function userDataError(problem: string): SpillwayError {
  return new SpillwayError('signin.user-data', { problem });
}
