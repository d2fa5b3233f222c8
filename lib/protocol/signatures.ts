import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';

/** The secret of an app, ready to sign with (protocol.md 4). */
export type SigningKey = KeyObject;

const hexDigestLength = 64;
const hexDigest = /^[0-9a-fA-F]{64}$/;

/** Turns the secret of an app, as UTF-8, into a signing key (protocol.md 4). */
export function toSigningKey(secret: string): SigningKey {
  return createSecretKey(secret, 'utf8');
}

/** Signs a text with HMAC-SHA256, in lower-case hex (protocol.md 4). */
export function sign(key: SigningKey, text: string): string {
  return createHmac('sha256', key).update(text).digest('hex');
}

/** Two hex digests side by side: used within one call only, so that none allocates. */
const expectedHex = Buffer.alloc(hexDigestLength);
const givenHex = Buffer.alloc(hexDigestLength);

/** Tells, in constant time, whether the hex digest is the signature of the text (protocol.md 4). */
export function isSignature(key: SigningKey, text: string, hex: string): boolean {
  if (!hexDigest.test(hex)) return false;
  expectedHex.write(sign(key, text), 'latin1');
  givenHex.write(hex.toLowerCase(), 'latin1');
  return timingSafeEqual(expectedHex, givenHex);
}

/** Splits `KEY:SIGNATURE` at its first colon; undefined when there is none (protocol.md 4). */
export function splitAuth(auth: string): { readonly key: string; readonly signature: string } | undefined {
  const colon = auth.indexOf(':');
  return colon === -1 ? undefined : { key: auth.slice(0, colon), signature: auth.slice(colon + 1) };
}

/** Returns the text a subscription signs, with `channel_data` exactly as it was received (protocol.md 4). */
export function channelStringToSign(socketId: string, channel: string, channelData?: string): string {
  const text = `${socketId}:${channel}`;
  return channelData === undefined ? text : `${text}:${channelData}`;
}

/** Returns the text a sign-in signs, with `user_data` exactly as it was received (protocol.md 4). */
export function userStringToSign(socketId: string, userData: string): string {
  return `${socketId}::user::${userData}`;
}
