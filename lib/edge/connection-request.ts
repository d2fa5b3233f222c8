import type { IncomingMessage } from 'node:http';
import type { ConnectionRequest } from '../stages/events.ts';
import type { Caller } from './trusted-proxies.ts';

/** Longest `client` and `version` that are kept. */
const maxClientLength = 60;

/** What an upgrade request asks for (protocol.md 1.1). Nothing is refused here: that is for the connect pipeline. */
export function toConnectionRequest(
  request: IncomingMessage,
  pathPrefix: string,
  caller: Caller,
): ConnectionRequest {
  const [path = '', rawQuery = ''] = split(request.url ?? '/');
  const query = new URLSearchParams(rawQuery);
  const library = [query.get('client'), query.get('version')].filter((text) => text !== null).join(' ');
  return {
    appKey: appKeyOf(path, pathPrefix),
    protocol: query.get('protocol') ?? undefined,
    client: library.slice(0, maxClientLength),
    origin: request.headers.origin,
    isSecure: caller.isSecure,
  };
}

function split(url: string): readonly string[] {
  const mark = url.indexOf('?');
  return mark === -1 ? [url] : [url.slice(0, mark), url.slice(mark + 1)];
}

/** The KEY of `/app/KEY`, percent-decoded once. */
function appKeyOf(path: string, pathPrefix: string): string | undefined {
  const below = path.startsWith(`${pathPrefix}/`) ? path.slice(pathPrefix.length) : path;
  const match = /^\/app\/([^/]*)\/?$/.exec(below);
  if (match?.[1] === undefined) return undefined;
  try {
    return decodeURIComponent(match[1]);
  } catch (error) {
    if (error instanceof URIError) return match[1];
    throw error;
  }
}
