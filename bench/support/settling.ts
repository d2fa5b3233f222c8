import { type PerformanceEntry, PerformanceObserver, performance } from 'node:perf_hooks';
import { loadConfig } from '../../config/load.ts';
import { Connection, type Transport } from '../../lib/channels/connection.ts';
import { createParts, type Parts } from '../../lib/parts.ts';
import { parseChannelName } from '../../lib/protocol/channel-name.ts';
import { mark } from '../../lib/stages/disconnect/mark.ts';
import { settle } from '../../lib/stages/disconnect/settle.ts';
import { Telemetry } from '../../lib/telemetry/telemetry.ts';
import { app as tenant } from './servers.ts';

export interface Settling {
  /** Connections of one batch. */
  readonly batchSize: number;
  readonly batches: number;
  readonly channelCount: number;
  /** Channels of each connection; the last of them is a presence channel. */
  readonly channelsPerSocket: number;
}

/** Milliseconds of each batch, in order. */
export interface SettlingTimes {
  /** The first storm of new stores. */
  readonly first: readonly number[];
  readonly second: readonly number[];
  /** As many pieces of plain arithmetic, all alike: what is uneven of them is the machine's. */
  readonly control: readonly number[];
}

/** Multiplications of one piece: about as long as a batch of 64. */
const controlSteps = 250_000;

/**
 * How long each batch of ended connections takes to settle in memory stores: the membership store, the outbox, and what
 * this node forgets; without log lines, sockets and garbage collection.
 */
export async function settlingTimes(settling: Settling): Promise<SettlingTimes> {
  const webhooks = [{ url: 'http://127.0.0.1:9/', events: ['channel_vacated', 'member_removed'] }];
  const { config } = loadConfig({ env: {}, overrides: { apps: [{ ...tenant, webhooks }] } });
  const parts = createParts(config, new Telemetry());
  return {
    first: await stormTimes(parts, settling),
    second: await stormTimes(parts, settling),
    control: await timesOf(Array.from({ length: settling.batches }, () => () => calculate(controlSteps))),
  };
}

async function stormTimes(parts: Parts, settling: Settling): Promise<readonly number[]> {
  const { batchSize, batches } = settling;
  const departures = departuresOf(parts, settling);
  const times = await timesOf(
    Array.from({ length: batches }, (_, index) => {
      const batch = departures.slice(index * batchSize, (index + 1) * batchSize);
      return () => settle.form.batchEffect?.(batch, parts);
    }),
  );
  const left = parts.membership.channels(tenant.id, '') as readonly unknown[];
  if (left.length > 0) throw new Error(`${left.length} channels are occupied still: nothing was settled`);
  return times;
}

async function timesOf(works: readonly (() => unknown)[]): Promise<readonly number[]> {
  const collections = watchCollections();
  const spans = works.map((work): Span => {
    const fromMs = performance.now();
    const startedCpu = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(startedCpu);
    return { fromMs, toMs: performance.now(), cpuMs: (user + system) / 1000 };
  });
  const collected = await collections;
  // Whichever is less: time in which another process ran is not the batch's, nor is what other threads did meanwhile.
  return spans.map((span) =>
    Math.max(0, Math.min(span.toMs - span.fromMs, span.cpuMs) - overlap(span, collected)),
  );
}

function calculate(steps: number): number {
  let product = 1;
  for (let step = 0; step < steps; step++) product = Math.imul(product, 16_777_619) ^ step;
  return product;
}

/** Connections that have joined their channels and have ended, each as the settle stage gets it. */
function departuresOf(
  parts: Parts,
  { batchSize, batches, channelCount, channelsPerSocket }: Settling,
): readonly unknown[] {
  const connections = Array.from({ length: batchSize * batches }, (_, index) => connect(parts, index));
  connections.forEach((connection, index) => {
    for (let nth = 0; nth < channelsPerSocket; nth++) {
      const prefix = nth === channelsPerSocket - 1 ? 'presence-' : 'storm-';
      join(parts, connection, `${prefix}${(index * channelsPerSocket + nth) % channelCount}`);
    }
  });
  return connections.map((connection) =>
    mark.form.map?.({ kind: 'connection', connection, cause: 'client', closeCode: 1000 }, parts),
  );
}

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
  readonly cpuMs: number;
}

/** The garbage collections from now on until the loop has turned. */
function watchCollections(): Promise<readonly PerformanceEntry[]> {
  const found: PerformanceEntry[] = [];
  const observer = new PerformanceObserver((list) => found.push(...list.getEntries()));
  observer.observe({ entryTypes: ['gc'] });
  return new Promise((done) =>
    setTimeout(() => {
      observer.disconnect();
      done(found);
    }, 50),
  );
}

function overlap({ fromMs, toMs }: Span, entries: readonly PerformanceEntry[]): number {
  const shared = entries.map(({ startTime, duration }) =>
    Math.max(0, Math.min(toMs, startTime + duration) - Math.max(fromMs, startTime)),
  );
  return shared.reduce((sum, one) => sum + one, 0);
}

function connect(parts: Parts, index: number): Connection {
  const app = parts.apps.byId(tenant.id);
  if (app === undefined) throw new Error('the app of the benchmark is not configured');
  const connection = new Connection(`1.${index}`, app, deafWire(), parts.clock.now());
  parts.connections.add(connection);
  return connection;
}

function join(parts: Parts, connection: Connection, channel: string): void {
  const name = parseChannelName(channel);
  if (name === undefined) throw new Error(`${channel} is no channel name`);
  const userId = name.kind === 'presence' ? `user-${connection.socketId}` : undefined;
  const joining = parts.subscriptions.begin(connection, name, userId);
  void parts.membership.apply([
    {
      kind: 'join',
      appId: connection.app.id,
      channel,
      socketId: connection.socketId,
      incarnation: joining.incarnation,
      maxMembers: 0,
      counted: false,
      ...(userId === undefined ? {} : { member: { userId, userInfoJson: undefined } }),
    },
  ]);
  parts.subscriptions.activate(joining, 0);
}

function deafWire(): Transport {
  return {
    remoteAddress: '127.0.0.1',
    connection: undefined,
    isOpen: true,
    queuedBytes: 0,
    write: () => undefined,
    close: () => undefined,
    pause: () => undefined,
    resume: () => undefined,
  };
}
