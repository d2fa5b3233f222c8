import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import type Pusher from 'pusher';

export interface ApplicationOptions {
  /** What a user is on presence channels; undefined leaves it to who the connection is signed in as. */
  readonly memberOf?: (user: string) => Pusher.PresenceChannelData | undefined;
  /** What a user is signed in as. */
  readonly userOf?: (user: string) => Pusher.UserChannelData;
}

export interface Application {
  readonly url: string;
  /** Channels that were authorised so far, with the socket each was for. */
  readonly authorised: readonly { readonly socketId: string; readonly channel: string }[];
  stop(): Promise<void>;
}

/** User info as applications give it: with the id, because Echo hands on nothing else (protocol.md 9). */
export function memberOf(user: string): Pusher.PresenceChannelData {
  return { user_id: user, user_info: { id: user, name: user.toUpperCase() } };
}

/**
 * The application that the clients belong to: it authorises with the server SDK whoever shows a bearer token, which is
 * the user's id, and serves a page that has pusher-js.
 */
export async function startApplication(sdk: Pusher, options: ApplicationOptions = {}): Promise<Application> {
  const authorised: { socketId: string; channel: string }[] = [];
  const server = createServer((request, response) => {
    if (request.method === 'GET') serveFile(request, response);
    else void authorise(sdk, options, { request, response, authorised });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    authorised,
    stop: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

const html = 'text/html; charset=utf-8';
const script = 'text/javascript';

/** `/with-encryption/` is the same page with the other bundle. */
const files: Readonly<Record<string, readonly [path: string, type: string]>> = {
  '/': ['spec/support/page.html', html],
  '/pusher.js': ['node_modules/pusher-js/dist/web/pusher.min.js', script],
  '/with-encryption/': ['spec/support/page.html', html],
  '/with-encryption/pusher.js': ['node_modules/pusher-js/dist/web/pusher-with-encryption.min.js', script],
};

function serveFile(request: IncomingMessage, response: ServerResponse): void {
  const [path, type] = files[request.url ?? ''] ?? [];
  if (path === undefined || type === undefined) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { 'Content-Type': type }).end(readFileSync(resolve(path)));
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly authorised: { socketId: string; channel: string }[];
}

async function authorise(
  sdk: Pusher,
  { memberOf: member = memberOf, userOf = (user) => ({ id: user }) }: ApplicationOptions,
  { request, response, authorised }: Exchange,
): Promise<void> {
  const form = new URLSearchParams(await textOf(request));
  const socketId = form.get('socket_id') ?? '';
  const channel = form.get('channel_name');
  const user = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  if (user === undefined) {
    response.writeHead(403, { 'Content-Type': 'text/plain' }).end('Forbidden');
    return;
  }
  if (channel !== null) authorised.push({ socketId, channel });
  const answer =
    channel === null
      ? sdk.authenticateUser(socketId, userOf(user))
      : sdk.authorizeChannel(socketId, channel, channel.startsWith('presence-') ? member(user) : undefined);
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
