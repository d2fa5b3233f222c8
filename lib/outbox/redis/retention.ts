import type { Clock } from '../../flow/clock.ts';
import type { OutboxHooks } from '../memory/outbox-hooks.ts';
import type { Lane, RecordedBatch } from '../outbox.ts';
import type { OutboxEvent } from '../outbox-event.ts';
import type { DeadLetterBox } from './dead-letter-box.ts';
import type { EndpointList } from './endpoint-list.ts';
import type { LaneReading, LaneStore } from './lane-store.ts';
import type { OwnedLanes } from './owned-lanes.ts';
import type { PartitionBacklog, PartitionStore } from './partition-store.ts';

export interface RetentionOptions {
  readonly lanes: LaneStore;
  readonly partitions: PartitionStore;
  readonly letters: DeadLetterBox;
  readonly owned: OwnedLanes;
  readonly endpoints: EndpointList;
  readonly clock: Clock;
  readonly retainMs: number;
  readonly hooks: OutboxHooks;
}

/** Events given up or let go in one step. */
const atOnce = 64;
/** Entries looked at in one step. */
const entriesAtOnce = 1_000;

const hourMs = 3_600_000;

/** Gives up what waited too long, and lets go what was kept long enough, in a partition that is this node's. */
export class Retention {
  readonly #options: RetentionOptions;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  async sweep(partition: number): Promise<void> {
    const { partitions, endpoints, clock, retainMs } = this.#options;
    // The store may have lost the listing without anybody noticing.
    const apps = await partitions.list(partition, endpoints.all);
    endpoints.noteApps(apps);
    const beforeMs = Math.floor(clock.now() - retainMs);
    for (const backlog of await partitions.backlogs(partition)) {
      await this.#sweepEndpoint(partition, backlog, beforeMs);
    }
    for (const appId of apps) await this.#trim(partition, appId, beforeMs);
  }

  async #sweepEndpoint(partition: number, backlog: PartitionBacklog, beforeMs: number): Promise<void> {
    const { appId, endpointId, closedAtMs, pending, recorded, deadLetters, replays, hasReplayBatch } =
      backlog;
    if (closedAtMs !== undefined && closedAtMs < beforeMs) {
      const lost = await this.#options.partitions.forgetEndpoint(partition, appId, endpointId, beforeMs);
      this.#tellExpired(backlog, lost ?? 0);
      return;
    }
    const lane = { appId, endpointId, partition };
    if (pending > 0 || recorded > 0) await this.#expireLane(lane, beforeMs);
    if (replays > 0 || hasReplayBatch) await this.#expireLane({ ...lane, partition: 'replay' }, beforeMs);
    if (deadLetters > 0) await this.#expireLetters(partition, backlog, beforeMs);
    await this.#forgetSeqs(partition, backlog);
  }

  /** The oldest event says whether there is anything to do. */
  async #expireLane(lane: Lane, beforeMs: number): Promise<void> {
    const first = await this.#options.lanes.read(lane, 1);
    const isOld = first?.batch !== undefined || (first?.events[0]?.sinceMs ?? beforeMs) < beforeMs;
    while (isOld) {
      const reading = await this.#options.lanes.read(lane, atOnce);
      if (reading === undefined) return;
      const isGoingOn =
        reading.batch === undefined
          ? await this.#expireEvents(lane, reading, beforeMs)
          : await this.#expireBatch(lane, reading.batch, beforeMs);
      if (!isGoingOn) return;
    }
  }

  async #expireBatch(lane: Lane, batch: RecordedBatch, beforeMs: number): Promise<boolean> {
    const sinceMs =
      lane.partition === 'replay' ? batch.createdAtMs : (batch.events[0]?.atMs ?? batch.createdAtMs);
    if (sinceMs >= beforeMs) return false;
    const { letters, owned } = this.#options;
    const facts = await letters.giveUp(lane, batch, this.#reason);
    if (facts === undefined) return false;
    this.#tellDeadLettered(lane, batch.events);
    owned.note(lane, facts);
    owned.tellMore(lane, facts);
    return true;
  }

  async #expireEvents(lane: Lane, { token, events }: LaneReading, beforeMs: number): Promise<boolean> {
    const old = events.filter(({ sinceMs }) => sinceMs < beforeMs);
    const last = old.at(-1);
    if (last === undefined) return false;
    const meant = old
      .map(({ event }) => event)
      .filter((one) => this.#options.endpoints.isFor(lane.endpointId, one));
    const isDone = await this.#options.letters.expire(lane, token, last.position, meant, this.#reason);
    if (!isDone) return false;
    this.#tellDeadLettered(lane, meant);
    return old.length === events.length;
  }

  async #expireLetters(partition: number, backlog: PartitionBacklog, beforeMs: number): Promise<void> {
    const { appId, endpointId } = backlog;
    let gone: number;
    do {
      gone = await this.#options.partitions.expireLetters(partition, appId, endpointId, beforeMs, atOnce);
      this.#tellExpired(backlog, gone);
    } while (gone === atOnce);
  }

  async #forgetSeqs(partition: number, { appId, endpointId }: PartitionBacklog): Promise<void> {
    let cursor = '0';
    do {
      cursor = await this.#options.partitions.forgetSeqs(partition, appId, endpointId, cursor);
    } while (cursor !== '0');
  }

  async #trim(partition: number, appId: string, beforeMs: number): Promise<void> {
    const upTo = { maxBytes: Number.MAX_SAFE_INTEGER, beforeMs, limit: entriesAtOnce };
    let result;
    do {
      result = await this.#options.partitions.trim(partition, appId, upTo);
    } while (result?.isMore === true);
  }

  get #reason(): string {
    return `not delivered within ${(this.#options.retainMs / hourMs).toString()} h`;
  }

  #tellDeadLettered({ appId, endpointId }: Lane, { length: events }: readonly OutboxEvent[]): void {
    if (events > 0) {
      this.#options.hooks.onDeadLettered?.({ appId, endpointId, events, reason: this.#reason });
    }
  }

  #tellExpired({ appId, endpointId }: PartitionBacklog, events: number): void {
    if (events > 0) this.#options.hooks.onExpired?.({ appId, endpointId, events });
  }
}
