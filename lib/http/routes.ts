import { SpillwayError } from '../errors/spillway-error.ts';
import type { Endpoint } from './api-request.ts';
import { lifecycleAfter } from './lifecycle-after.ts';
import { lifecycleSnapshot } from './lifecycle-snapshot.ts';
import { listChannels } from './list-channels.ts';
import { listUsers } from './list-users.ts';
import { publishBatch, publishEvents } from './publish-events.ts';
import { showChannel } from './show-channel.ts';
import { terminateConnections } from './terminate-connections.ts';

/** Every endpoint below `/apps/:id`; a `*` takes one part of the path as a name. */
const routes: readonly {
  readonly method: string;
  readonly path: readonly string[];
  readonly endpoint: Endpoint;
}[] = [
  { method: 'POST', path: ['events'], endpoint: publishEvents },
  { method: 'POST', path: ['batch_events'], endpoint: publishBatch },
  { method: 'GET', path: ['channels'], endpoint: listChannels },
  { method: 'GET', path: ['channels', '*'], endpoint: showChannel },
  { method: 'GET', path: ['channels', '*', 'users'], endpoint: listUsers },
  { method: 'GET', path: ['lifecycle'], endpoint: lifecycleAfter },
  { method: 'GET', path: ['lifecycle', 'snapshot'], endpoint: lifecycleSnapshot },
  { method: 'POST', path: ['users', '*', 'terminate_connections'], endpoint: terminateConnections },
];

export interface Route {
  readonly appId: string;
  readonly names: readonly string[];
  readonly endpoint: Endpoint;
}

/** Finds the endpoint of a raw request path, each part percent-decoded once and never normalised (protocol.md 7.2). */
export function findRoute(method: string, rawPath: string): Route {
  const [root, apps, appId, ...parts] = rawPath.split('/').map(decodePart);
  if (root !== '' || apps !== 'apps' || appId === undefined || appId === '' || parts.length === 0)
    throw new SpillwayError('http.not-found', { path: rawPath });
  const matching = routes.filter(({ path }) => matches(path, parts));
  const route = matching.find((candidate) => candidate.method === method);
  if (route !== undefined) {
    const names = route.path.flatMap((part, index) => (part === '*' ? [parts[index] ?? ''] : []));
    return { appId, names, endpoint: route.endpoint };
  }
  throw matching.length > 0
    ? new SpillwayError('http.method', { method })
    : new SpillwayError('http.not-found', { path: rawPath });
}

/**
 * The routes by which applications publish, by the raw path they are asked for in; {@link findRoute} answers the same.
 * No id of an app needs escaping, so these are the paths as libraries send them.
 */
export function publishRoutes(appIds: Iterable<string>): ReadonlyMap<string, Route> {
  const found = new Map<string, Route>();
  for (const appId of appIds) {
    for (const part of ['events', 'batch_events']) {
      const rawPath = `/apps/${appId}/${part}`;
      found.set(rawPath, findRoute('POST', rawPath));
    }
  }
  return found;
}

function matches(path: readonly string[], parts: readonly (string | undefined)[]): boolean {
  return (
    path.length === parts.length &&
    path.every((part, index) => (part === '*' ? isName(parts[index]) : part === parts[index]))
  );
}

function isName(part: string | undefined): boolean {
  return part !== undefined && part !== '';
}

function decodePart(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
