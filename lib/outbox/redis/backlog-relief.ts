import type { HeldBytes } from '../memory/held-bytes.ts';
import { Fold } from '../memory/fold.ts';
import type { OutboxHooks } from '../memory/outbox-hooks.ts';
import type { EventKind } from '../outbox-event.ts';
import type { Lane } from '../outbox.ts';
import type { EndpointList } from './endpoint-list.ts';
import type { LaneStore } from './lane-store.ts';
import type { OwnedLanes } from './owned-lanes.ts';
import type { PartitionStore, TrimResult } from './partition-store.ts';
import type { Upkeep } from './upkeep.ts';

export interface BacklogReliefOptions {
  readonly lanes: LaneStore;
  readonly partitions: PartitionStore;
  readonly owned: OwnedLanes;
  readonly endpoints: EndpointList;
  readonly upkeep: Upkeep;
  /** Of one app in one partition. */
  readonly maxBytes: number;
  readonly newId: () => string;
  readonly hooks: OutboxHooks;
}

/** Events read in one go. */
const atOnce = 500;
/** Entries that may come before the bytes are asked for again, while there is room for as many of this size. */
const maxUnchecked = 256;
const largeEventBytes = 32_768;

/** Brings an app that holds too much in a partition back to its cap, the least loss first; see `Outbox`. */
export class BacklogRelief {
  readonly #options: BacklogReliefOptions;
  /** By partition and app: the head at which its bytes are asked for. */
  readonly #checkAt = new Map<string, number>();

  constructor(options: BacklogReliefOptions) {
    this.#options = options;
  }

  /** Entries were appended up to `head`. */
  noteHead(partition: number, appId: string, head: number): void {
    if (head >= (this.#checkAt.get(`${partition} ${appId}`) ?? 0)) this.check(partition, appId);
  }

  check(partition: number, appId: string): void {
    this.#options.upkeep.run(`relieve ${partition} ${appId}`, () => this.#relieve(partition, appId));
  }

  forget(partition: number): void {
    for (const key of this.#checkAt.keys()) if (key.startsWith(`${partition} `)) this.#checkAt.delete(key);
  }

  async #relieve(partition: number, appId: string): Promise<void> {
    const before = await this.#trim(partition, appId);
    if (before === undefined || !this.#isWorthFolding(before)) return;
    const backlogs = await this.#options.partitions.backlogs(partition, appId);
    const share = this.#room / Math.max(1, backlogs.length);
    for (const { endpointId } of backlogs) await this.#foldLane({ appId, endpointId, partition }, share);
    await this.#trim(partition, appId);
  }

  /** A little more goes than has to, so that not every event has to make room for itself. */
  get #room(): number {
    return this.#options.maxBytes - this.#options.maxBytes / 32;
  }

  async #trim(partition: number, appId: string): Promise<TrimResult | undefined> {
    const { maxBytes, partitions } = this.#options;
    const result = await partitions.trim(partition, appId, { maxBytes, beforeMs: 0, limit: 1 });
    if (result === undefined) return undefined;
    const room = Math.floor((maxBytes - result.heldBytes) / largeEventBytes);
    this.#checkAt.set(`${partition} ${appId}`, result.head + Math.max(1, Math.min(maxUnchecked, room)));
    return result;
  }

  /** What is folded is read and written as a whole: not for every event that comes when there is no room at all. */
  #isWorthFolding({ heldBytes, entryBytes }: TrimResult): boolean {
    const { maxBytes } = this.#options;
    return heldBytes > maxBytes && entryBytes > Math.max(maxBytes / 32, (heldBytes - entryBytes) / 16);
  }

  async #foldLane(lane: Lane, maxBytes: number): Promise<void> {
    const { appId, endpointId } = lane;
    const { lanes, endpoints, newId, owned, hooks } = this.#options;
    const held: HeldBytes = { bytes: 0 };
    const takes = (kind: EventKind, channel: string): boolean =>
      endpoints.takes(appId, endpointId, kind, channel);
    const fold = new Fold({ appId, held, newId, takes });
    const read = await this.#readInto(fold, lane);
    if (read === undefined) return;
    if (fold.bytes > maxBytes) fold.mergeRanges(Number.POSITIVE_INFINITY);
    if (fold.bytes > maxBytes) fold.shed(Number.POSITIVE_INFINITY, () => fold.bytes <= maxBytes);
    const { leftOut, bytes } = fold;
    const facts = await lanes.fold(lane, read.token, read.upTo, [...fold.events()], { leftOut, bytes });
    if (facts === undefined) return;
    owned.note(lane, facts);
    if (leftOut > 0) hooks.onCoalesced?.({ appId, endpointId, events: leftOut });
  }

  /** Reads all that lies before the lane; undefined when it is another's, or changed meanwhile. */
  async #readInto(
    fold: Fold,
    lane: Lane,
  ): Promise<{ readonly token: number; readonly upTo: number } | undefined> {
    let token: number | undefined;
    for (let offset = 0; ; offset += atOnce) {
      const reading = await this.#options.lanes.peek(lane, offset, atOnce);
      if (reading === undefined || (token ?? reading.token) !== reading.token) return undefined;
      token = reading.token;
      for (const { event } of reading.events) fold.add(event);
      if (reading.events.length === atOnce) continue;
      return { token, upTo: reading.position + offset + reading.events.length - reading.folded };
    }
  }
}
