import { createHash, createHmac } from 'node:crypto';

/**
 * What the stock clients send, byte for byte. The load replaces `@channel@` and `@auth@`, which differ from client to
 * client, and `#NUMBER#` by a number of eight digits, which differs from message to message.
 */
export const places = { channel: '@channel@', auth: '@auth@', number: '#NUMBER#' } as const;

const pusherJsVersion = '8.6.0';

export function clientPath(key: string): string {
  return `/app/${key}?protocol=7&client=js&version=${pusherJsVersion}&flash=false`;
}

/** pusher-js puts the authorisation first; on a public channel it is empty. */
export function subscribeMessage(channel: string): string {
  const auth = /^(?:private|presence)-/.test(channel) ? places.auth : '';
  return JSON.stringify({ event: 'pusher:subscribe', data: { auth, channel: places.channel } });
}

/** pusher-js puts `data` before `channel`, and does not turn an object into a string. */
export function clientEvent(data: object): string {
  return JSON.stringify({ event: 'client-bench', data, channel: places.channel });
}

/** A client event of about this many bytes, with an object of several fields as applications send them. */
export function clientEventOf(bytes: number, channelLength: number): string {
  const base = clientEvent(eventData(0)).length - places.channel.length + channelLength;
  return clientEvent(eventData(Math.max(0, bytes - base)));
}

/** An order with as many positions as fit, and a note that fills the rest. */
function eventData(bytes: number): object {
  const position = { sku: 'A-1001', count: 2, price: 19.95 };
  const each = JSON.stringify(position).length + 1;
  // A third of it is text, so that neither numbers nor one long string are all of it.
  const count = Math.floor((bytes * 2) / 3 / each);
  const items = Array.from({ length: count }, () => position);
  const used = count === 0 ? 0 : count * each - 1;
  return { id: places.number, note: 'n'.repeat(Math.max(0, bytes - used)), items };
}

export interface SigningApp {
  readonly id: string;
  readonly key: string;
  readonly secret: string;
}

/** `POST /events` as the server SDK for Node sends it, signed; good for ten minutes from `timestampS`. */
export function signedPublish(
  app: SigningApp,
  channel: string,
  data: object,
  timestampS: number,
): { readonly path: string; readonly body: string } {
  const body = JSON.stringify({ name: 'bench', data: JSON.stringify(data), channels: [channel] });
  const md5 = createHash('md5').update(body).digest('hex');
  const path = `/apps/${app.id}/events`;
  const query = `auth_key=${app.key}&auth_timestamp=${timestampS}&auth_version=1.0&body_md5=${md5}`;
  const signature = createHmac('sha256', app.secret).update(`POST\n${path}\n${query}`).digest('hex');
  return { path: `${path}?${query}&auth_signature=${signature}`, body };
}
