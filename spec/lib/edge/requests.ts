import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';

/** An upgrade request as it comes from a socket with this address. */
export function requestFrom(
  remoteAddress: string,
  headers: Readonly<Record<string, string | string[]>> = {},
  url = '/',
): IncomingMessage {
  const socket = new Socket();
  Object.defineProperty(socket, 'remoteAddress', { value: remoteAddress });
  const request = new IncomingMessage(socket);
  request.url = url;
  Object.assign(request.headers, headers);
  return request;
}
