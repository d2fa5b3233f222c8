import { hash, type KeyObject } from 'node:crypto';
import { SpillwayError } from '../errors/spillway-error.ts';
import { httpTimestampWindowSeconds } from './limits.ts';
import { isSignature } from './signatures.ts';

type Pair = readonly [name: string, value: string];

/** The parameters of a request: names in lower case, all texts percent-decoded, in the order they were sent (protocol.md 7.2). */
export interface ParsedQuery {
  readonly pairs: readonly Pair[];
  /** The value of a parameter; the first one of a list such as `name[]`. */
  get(name: string): string | undefined;
}

/** A request as it came, nothing normalised: `rawPath` begins with `/apps` and has no query (protocol.md 7.2). */
export interface SignedRequest {
  readonly method: string;
  readonly rawPath: string;
  readonly query: ParsedQuery;
  readonly rawQuery: string;
  readonly body: Buffer;
}

/** Parses a query: percent-decoding only, every name once unless it ends in `[]` (protocol.md 7.2). */
export function parseQuery(rawQuery: string): ParsedQuery {
  const pairs: Pair[] = [];
  for (const pair of rawQuery.split('&')) {
    if (pair !== '') pairs.push(parsePair(pair));
  }
  const values = new Map<string, string>();
  for (const [name, value] of pairs) {
    if (!values.has(name)) values.set(name, value);
    else if (!name.endsWith('[]')) throw new SpillwayError('http.duplicate-parameter', { parameter: name });
  }
  return { pairs, get: (name) => values.get(name) };
}

/**
 * Verifies key, version, timestamp, body digest and signature of a request, in this order, and throws at the first that
 * fails. Returns the query in the form that was signed: it differs from the given one where `+` stood for a space
 * (protocol.md 7.2).
 */
export function verifyHttpSignature(
  request: SignedRequest,
  keyOf: (authKey: string) => KeyObject | undefined,
  nowSeconds: number,
): ParsedQuery {
  const key = ensureKnownKey(request.query, keyOf);
  ensureVersion(request.query);
  ensureTimestamp(request.query, nowSeconds);
  ensureBodyMd5(request.query, request.body);
  return ensureSignature(request, key);
}

function parsePair(pair: string): Pair {
  const equals = pair.indexOf('=');
  if (equals === -1) return [percentDecode(pair).toLowerCase(), ''];
  return [percentDecode(pair.slice(0, equals)).toLowerCase(), percentDecode(pair.slice(equals + 1))];
}

function percentDecode(text: string): string {
  try {
    return text.includes('%') ? decodeURIComponent(text) : text;
  } catch (error) {
    throw new SpillwayError('http.malformed-query', {}, { cause: error });
  }
}

function ensureKnownKey(query: ParsedQuery, keyOf: (authKey: string) => KeyObject | undefined): KeyObject {
  const authKey = query.get('auth_key');
  if (authKey === undefined) throw new SpillwayError('http.auth-key-missing');
  const key = keyOf(authKey);
  if (key === undefined) throw new SpillwayError('http.auth-key-unknown');
  return key;
}

function ensureVersion(query: ParsedQuery): void {
  const version = query.get('auth_version');
  if (version === undefined) throw new SpillwayError('http.auth-version-missing');
  if (version !== '1.0') throw new SpillwayError('http.auth-version');
}

function ensureTimestamp(query: ParsedQuery, nowSeconds: number): void {
  const given = query.get('auth_timestamp');
  if (given === undefined) throw new SpillwayError('http.auth-timestamp-missing');
  const isNear = /^\d+$/.test(given) && Math.abs(nowSeconds - Number(given)) <= httpTimestampWindowSeconds;
  if (!isNear) throw new SpillwayError('http.auth-timestamp-expired', { given, now: nowSeconds });
}

/** Some libraries send the digest of an empty body, also on GET: what is sent must be right, a body must have it. */
function ensureBodyMd5(query: ParsedQuery, body: Buffer): void {
  const given = query.get('body_md5');
  if (given === undefined && body.length === 0) return;
  if (given !== hash('md5', body)) throw new SpillwayError('http.body-md5');
}

function ensureSignature(request: SignedRequest, key: KeyObject): ParsedQuery {
  const signature = request.query.get('auth_signature') ?? '';
  const paths = pathForms(request.rawPath);
  for (const query of queryForms(request)) {
    for (const path of paths) {
      if (isSignature(key, stringToSign(request.method, path, query), signature)) return query;
    }
  }
  const signed = JSON.stringify(stringToSign(request.method, request.rawPath, request.query));
  throw new SpillwayError('http.auth-signature', { signed });
}

/** Libraries sign the path they were given, HTTP stacks may escape it; an escaped slash would fit two routes. */
function pathForms(rawPath: string): readonly string[] {
  if (!rawPath.includes('%') || /%2f/i.test(rawPath)) return [rawPath];
  try {
    return [rawPath, decodeURIComponent(rawPath)];
  } catch {
    return [rawPath];
  }
}

function* queryForms({ query, rawQuery }: SignedRequest): Generator<ParsedQuery> {
  yield query;
  if (rawQuery.includes('+')) yield parseQuery(rawQuery.replaceAll('+', ' '));
}

function stringToSign(method: string, path: string, query: ParsedQuery): string {
  const signed = query.pairs.filter(([name]) => name !== 'auth_signature');
  // Most libraries send the parameters in the order in which they sign them.
  if (!isSorted(signed)) signed.sort(byName);
  let text = `${method.toUpperCase()}\n${path}\n`;
  let separator = '';
  for (const [name, value] of signed) {
    text += `${separator}${name}=${value}`;
    separator = '&';
  }
  return text;
}

function isSorted(pairs: readonly Pair[]): boolean {
  let previous = '';
  for (const [name] of pairs) {
    if (name < previous) return false;
    previous = name;
  }
  return true;
}

/** The sort is stable: the values of a list keep their order. */
function byName([one]: Pair, [other]: Pair): number {
  return one < other ? -1 : Number(one > other);
}
