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
  const { protocol, client, version } = readQuery(rawQuery);
  const library = [client, version].filter((text) => text !== undefined).join(' ');
  return {
    appKey: appKeyOf(path, pathPrefix),
    protocol,
    client: library.slice(0, maxClientLength),
    origin: request.headers.origin,
    isSecure: caller.isSecure,
  };
}

interface Query {
  readonly protocol: string | undefined;
  readonly client: string | undefined;
  readonly version: string | undefined;
}

/** Stock clients escape nothing, and what is not escaped is only cut into pieces. Of a name that stands twice the first counts. */
function readQuery(query: string): Query {
  if (/[%+?]/.test(query)) {
    const decoded = new URLSearchParams(query);
    const read = (name: string): string | undefined => decoded.get(name) ?? undefined;
    return { protocol: read('protocol'), client: read('client'), version: read('version') };
  }
  const pairs = query.split('&');
  return {
    protocol: find(pairs, 'protocol'),
    client: find(pairs, 'client'),
    version: find(pairs, 'version'),
  };
}

function find(pairs: readonly string[], name: string): string | undefined {
  for (const pair of pairs) {
    if (!pair.startsWith(name)) continue;
    if (pair.length === name.length) return '';
    if (pair[name.length] === '=') return pair.slice(name.length + 1);
  }
  return undefined;
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
