import type { App } from '../../apps/app.ts';
import { SpillwayError } from '../../errors/spillway-error.ts';
import { defineStage } from '../define-stage.ts';
import type { ConnectionAdmitted, ConnectionAttempted, ConnectionRequest } from '../events.ts';

/** Protocol versions that are spoken; 1 to 3 are unsupported, a missing one is taken for the current (protocol.md 1.1). */
const oldestProtocol = 4;
const newestProtocol = 7;

/** Lets a connection in, or says with the right close code why not (protocol.md 1.4). */
export const admit = defineStage({
  name: 'admit',
  needs: ['apps', 'node'],
  map: (attempt: ConnectionAttempted, { apps, node }): ConnectionAdmitted => {
    const { request } = attempt;
    if (node.draining) throw new SpillwayError('connection.draining');
    const key = ensurePath(request);
    ensureProtocol(request);
    const app = apps.byKey(key);
    if (app === undefined) throw new SpillwayError('connection.unknown-app', { key });
    ensureAllowed(app, key, request);
    return { ...attempt, app };
  },
});

function ensurePath({ appKey }: ConnectionRequest): string {
  if (appKey === undefined || appKey === '') throw new SpillwayError('connection.path-not-found');
  return appKey;
}

function ensureProtocol({ protocol }: ConnectionRequest): void {
  if (protocol === undefined || protocol === '') return;
  const version = /^\d{1,3}$/.test(protocol) ? Number(protocol) : Number.NaN;
  if (version >= oldestProtocol && version <= newestProtocol) return;
  throw new SpillwayError('connection.unsupported-protocol', { protocol });
}

function ensureAllowed(app: App, key: string, { isSecure, origin }: ConnectionRequest): void {
  if (!app.config.enabled) throw new SpillwayError('connection.app-disabled', { key });
  if (app.config.tlsOnly && !isSecure) throw new SpillwayError('connection.tls-required', { key });
  if (app.allowsOrigin(origin)) return;
  throw new SpillwayError('connection.origin-not-allowed', { origin: origin ?? '' });
}
