import type { Observable } from 'rxjs';
import type { Config } from '../config/schema.ts';
import type { Bus, BusMessage } from './bus/bus.ts';
import { LocalBus } from './bus/local.ts';
import type { CachedEvents } from './cache/cached-events.ts';
import { MemoryCachedEvents } from './cache/memory.ts';
import type { Clock } from './flow/clock.ts';
import type { MaybePromise } from './flow/maybe-promise.ts';
import { MemoryMembershipStore } from './membership/memory.ts';
import type { MembershipStore } from './membership/membership-store.ts';
import { MemoryOutbox, type OutboxSize } from './outbox/memory/memory-outbox.ts';
import type { Outbox } from './outbox/outbox.ts';
import { readSpool, removeSpool, writeSpool } from './outbox/memory/spool-file.ts';
import type { ConnectionQuota } from './quota/connection-quota.ts';
import { MemoryConnectionQuota } from './quota/memory.ts';
import type { Readiness } from './telemetry/health.ts';
import type { Telemetry } from './telemetry/telemetry.ts';
import { MemorySignedInUsers } from './users/memory.ts';
import type { SignedInUsers } from './users/signed-in-users.ts';

/** The parts that hold what is shared between nodes: in memory for one process, elsewhere for several. */
export interface Stores {
  readonly bus: Bus;
  readonly membership: MembershipStore;
  readonly cachedEvents: CachedEvents;
  readonly users: SignedInUsers;
  readonly quota: ConnectionQuota;
  readonly outbox: Outbox;
  /** Before the first connection: takes up what an earlier process left. */
  readonly open: () => MaybePromise<void>;
  /** Every connection is settled and no other comes: leaves that wait for a return are told now. */
  readonly settle: () => MaybePromise<void>;
  /** The start failed behind `open`: gives back what that took up. */
  readonly abandon: () => MaybePromise<void>;
  /** The end: keeps what endpoints have not been told. Never fails: what cannot be kept is said. */
  readonly close: () => MaybePromise<void>;
  /** What these stores hold. */
  readonly gauges: readonly StoreGauge[];
  /** What they did since the start. */
  readonly counters?: readonly StoreGauge[];
  /** Messages of other nodes may have been missed, or this node has answered by itself for a while. */
  readonly gaps$?: Observable<void>;
  /** How they are, for `/ready`; none: nothing of them can be away. */
  readonly health?: () => Readiness['checks'];
}

export interface StoreGauge {
  readonly name: string;
  readonly help: string;
  readonly read: () => number;
}

export interface StoreTools {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Names this node among those that share its stores; never used twice. */
  readonly nodeId: string;
}

/** Makes the stores; `deliverHere` is the end of the bus on this node. */
export type CreateStores = (
  config: Config,
  deliverHere: (message: BusMessage) => void,
  tools: StoreTools,
) => Stores;

const hourMs = 3_600_000;

/** Everything in this process's memory. */
export const createMemoryStores: CreateStores = (config, deliverHere, { clock, telemetry }) => {
  const bus = new LocalBus(deliverHere);
  const { graceMs, retainHours, maxBacklogBytes, spoolFile } = config.webhooks;
  const outbox = new MemoryOutbox({
    clock,
    graceMs,
    partitions: config.cluster.partitions,
    retainMs: retainHours * hourMs,
    maxBytesPerApp: maxBacklogBytes,
    onCoalesced: (told) => telemetry.emit('outbox.coalesced', told),
    onDeadLettered: (told) => telemetry.emit('outbox.dead-lettered', told),
    onExpired: (told) => telemetry.emit('outbox.expired', told),
  });
  return {
    bus,
    membership: new MemoryMembershipStore(
      (announcement) => bus.publish({ kind: 'membership', ...announcement }),
      outbox.lifecycle,
    ),
    cachedEvents: new MemoryCachedEvents(config.cache.ttlSeconds),
    users: new MemorySignedInUsers((appId, state) => bus.publish({ kind: 'user', appId, ...state })),
    quota: new MemoryConnectionQuota(),
    outbox,
    ...spoolOf(outbox, spoolFile, telemetry),
    settle: () => outbox.settle(),
    gauges: outboxGauges(outbox),
  };
};

function outboxGauges(outbox: MemoryOutbox): readonly StoreGauge[] {
  const gauge = (name: string, help: string, read: (size: OutboxSize) => number): StoreGauge => ({
    name: `spillway_outbox_${name}`,
    help,
    read: () => read(outbox.size),
  });
  return [
    gauge('armed_leaves', 'Leaves that wait for a return', ({ armedDeadlines }) => armedDeadlines),
    gauge('events', 'Events kept, delivered ones among them', ({ events }) => events),
    gauge('bytes', 'Bytes of events kept, an estimate', ({ bytes }) => bytes),
    gauge('channels', 'Channels whose seq is known, vacated ones among them', ({ channels }) => channels),
  ];
}

/** A process that took nothing up leaves the file alone when its start fails: it may be that of one that runs. */
function spoolOf(
  outbox: MemoryOutbox,
  file: string | undefined,
  telemetry: Telemetry,
): Pick<Stores, 'open' | 'abandon' | 'close'> {
  let hasTakenUp = false;
  return {
    open: async () => {
      hasTakenUp = file !== undefined && (await takeUp(outbox, file, telemetry));
    },
    abandon: () => (hasTakenUp ? keep(outbox, file, telemetry) : outbox.close()),
    close: () => keep(outbox, file, telemetry),
  };
}

/** Whether there was something. */
async function takeUp(outbox: MemoryOutbox, file: string, telemetry: Telemetry): Promise<boolean> {
  const lines = await readSpool(file);
  if (lines === undefined) return false;
  outbox.restore(lines);
  await removeSpool(file);
  telemetry.emit('outbox.restored', { file, events: outbox.undelivered });
  return true;
}

/** Without a file what is left dies with the process, and that is said; so is a file that cannot be written. */
async function keep(outbox: MemoryOutbox, file: string | undefined, telemetry: Telemetry): Promise<void> {
  outbox.close();
  const events = outbox.undelivered;
  if (file === undefined) {
    if (events > 0) telemetry.emit('outbox.lost', { events });
    return;
  }
  try {
    telemetry.emit('outbox.spooled', { file: await writeSpool(file, outbox.spool()), events });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    telemetry.emit('outbox.spool-failed', { file, events, reason });
  }
}
