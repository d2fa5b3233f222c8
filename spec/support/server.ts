import { loadConfig } from '../../config/load.ts';
import type { RawObject } from '../../config/raw.ts';
import { type OpenServer, type StartOptions, startServer } from '../../lib/server.ts';
import type { LogStream } from '../../lib/telemetry/log-stream.ts';
import type { TelemetryEvent } from '../../lib/telemetry/telemetry.ts';
import { EventLog } from './event-log.ts';

/** The app every test server has, unless a spec brings its own. */
export const testApp = {
  id: 'app-1',
  key: '278d425bdf160c739803',
  secret: '7ad3773142a6692b25b8',
  clientEvents: { enabled: true },
} as const;

/** A second tenant, for specs about isolation. */
export const otherApp = {
  id: 'app-2',
  key: 'other-key',
  secret: 'other-secret',
  clientEvents: { enabled: true },
} as const;

export interface TestServer {
  readonly port: number;
  readonly adminPort: number;
  readonly key: string;
  readonly secret: string;
  readonly appId: string;
  /** What the server said so far, and what it is going to say. */
  readonly log: EventLog;
  readonly running: OpenServer;
  stop(): Promise<void>;
}

export interface TestServerOptions {
  /** Settings in the shape of the configuration file; ports are free ones whatever it says. */
  readonly config?: RawObject;
  /** Settings of `testApp` that this spec changes. */
  readonly app?: RawObject;
  readonly start?: Partial<StartOptions>;
  /** Where it says what it says; default: a log of its own. */
  readonly log?: EventLog;
}

/** Starts a server in this process on free ports; its cleanup window is short, so that leaves are told soon. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const given = options.config ?? {};
  const overrides: RawObject = {
    apps: [{ ...testApp, ...options.app }, otherApp],
    ...given,
    server: { ...(given['server'] as RawObject | undefined), port: 0 },
    admin: { ...(given['admin'] as RawObject | undefined), port: 0 },
    cleanup: { batchWindowMs: 5, ...(given['cleanup'] as RawObject | undefined) },
    drain: { waveMs: 1, ...(given['drain'] as RawObject | undefined) },
    log: { level: 'debug', ...(given['log'] as RawObject | undefined) },
  };
  const { config } = loadConfig({ env: {}, overrides });
  const log = options.log ?? new EventLog();
  const running = await startServer(config, { ...options.start, log: intoMemory(log) });
  return {
    port: running.port,
    adminPort: running.adminPort ?? 0,
    key: testApp.key,
    secret: testApp.secret,
    appId: testApp.id,
    log,
    running,
    stop: () => running.stop('spec'),
  };
}

function intoMemory(log: EventLog): LogStream {
  return {
    next: (event: TelemetryEvent) => log.add(event),
    setLevel: () => undefined,
    close: () => Promise.resolve(),
    dropped: 0,
  };
}
