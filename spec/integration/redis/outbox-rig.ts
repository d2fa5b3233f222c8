import { randomBytes } from 'node:crypto';
import { firstValueFrom, filter, Subject } from 'rxjs';
import type { ClusterNode, OwnershipChange, PartitionHeads } from '../../../lib/cluster/cluster-node.ts';
import type { Group, GroupSource } from '../../../lib/cluster/group-source.ts';
import type { LaneWork, OutboxEndpoint } from '../../../lib/outbox/outbox.ts';
import { partitionOf } from '../../../lib/cluster/partition.ts';
import { RedisOutbox } from '../../../lib/outbox/redis/redis-outbox.ts';
import { RedisLink } from '../../../lib/redis/redis-link.ts';
import type { Reply, StoreLink } from '../../../lib/redis/store-link.ts';
import { Telemetry } from '../../../lib/telemetry/telemetry.ts';
import type { RedisServer } from '../../support/redis.ts';

const leaseMs = 3_600_000;

/** How far the clock of a spec is ahead. */
export interface Shift {
  ms: number;
}

let stores = 0;

/** A name for keys that no other spec has. */
export function newPrefix(): string {
  return `outbox-${++stores}:`;
}

/** Not open yet. */
export function newLink(
  redis: RedisServer,
  partitions: number,
  shift: Shift,
  keyPrefix = newPrefix(),
): RedisLink {
  return new RedisLink({
    settings: { url: redis.url, cluster: false, keyPrefix },
    partitions,
    telemetry: new Telemetry(),
    shiftMs: () => shift.ms,
  });
}

/** A node without timers: it writes at once, owns what it is told to own, and fires when it is asked to. */
export class PlainNode implements ClusterNode {
  readonly nodeId = randomBytes(6).toString('hex');
  readonly ownership$ = new Subject<OwnershipChange>();
  readonly heads$ = new Subject<PartitionHeads>();
  readonly #link: StoreLink;
  readonly #graceMs: number;
  readonly #sources: GroupSource[] = [];
  readonly #owned = new Set<number>();
  readonly #storeIds: string[] = [];
  readonly #batches: number[] = [];
  readonly #deadlines: (number | undefined)[] = [];
  readonly #wanted = new Set<number>();
  readonly #writing = new Map<number, Promise<void>>();
  incarnation = 1;
  leaseLeftMs = leaseMs;
  /** It writes nothing until it begins anew. */
  isSuspended = false;
  #isClosed = false;

  constructor(link: StoreLink, graceMs: number) {
    this.#link = link;
    this.#graceMs = graceMs;
  }

  addSource(source: GroupSource): void {
    this.#sources.push(source);
  }

  poke(partition: number): void {
    if (this.#isClosed || this.isSuspended) return;
    this.#wanted.add(partition);
    if (this.#writing.has(partition)) return;
    const writing = this.#write(partition).finally(() => {
      this.#writing.delete(partition);
      if (this.#wanted.has(partition)) this.poke(partition);
    });
    this.#writing.set(partition, writing);
  }

  holderOf(): string {
    return `${this.nodeId}.${this.incarnation}`;
  }

  owns(partition: number, forMs = 0): boolean {
    return this.#owned.has(partition) && forMs <= this.leaseLeftMs;
  }

  liveNodes(): number {
    return 1;
  }

  async settle(): Promise<void> {
    await this.fire(true);
  }

  async open(isOwner = true): Promise<void> {
    await this.renew(isOwner);
    if (isOwner) for (const partition of this.#all()) this.#owned.add(partition);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.written();
  }

  /** What sources had is applied. */
  async written(): Promise<void> {
    await Promise.all(this.#writing.values());
  }

  /** Renews every lease, and wants every partition or gives them all. */
  async renew(wants: boolean): Promise<void> {
    await Promise.all(this.#all().map((partition) => this.#renew(partition, wants)));
  }

  /** Gives everything, and says so. */
  async give(): Promise<void> {
    await this.renew(false);
    this.lose();
  }

  /** Owns nothing any more, whatever the store says. */
  lose(): void {
    for (const partition of this.#all()) {
      this.#owned.delete(partition);
      this.ownership$.next({ partition, isOwned: false });
    }
  }

  /** Its store was wiped: it begins anew in every partition, under another name. */
  async beginAnew(): Promise<void> {
    await this.written();
    this.lose();
    this.incarnation++;
    this.#storeIds.length = 0;
    this.#batches.length = 0;
    await this.renew(false);
    this.isSuspended = false;
    for (const partition of this.#all()) {
      for (const source of this.#sources) source.assertAll(partition, { isWiped: true });
    }
    await this.take();
  }

  /** Takes everything, and says so. */
  async take(): Promise<void> {
    await this.renew(true);
    for (const partition of this.#all()) {
      this.#owned.add(partition);
      this.ownership$.next({ partition, isOwned: true });
    }
  }

  /** Tells what is due, or everything. */
  async fire(all = false): Promise<void> {
    await Promise.all(this.#all().map((partition) => this.#fire(partition, all)));
  }

  /** Tells what is due at this moment. */
  async fireDue(nowMs: number): Promise<void> {
    const due = this.#all().filter((partition) => (this.#deadlines[partition] ?? nowMs + 1) <= nowMs);
    await Promise.all(due.map((partition) => this.#fire(partition, false)));
  }

  async #fire(partition: number, all: boolean): Promise<void> {
    const args = [this.holderOf(), this.#storeIds[partition] ?? '', 256, retainMs, all ? 1 : 0];
    const reply = (await this.#link.run('fire', partition, args)) as readonly Reply[];
    this.#noteDeadline(partition, reply[2]);
  }

  #noteDeadline(partition: number, deadline: Reply | undefined): void {
    this.#deadlines[partition] = Number(deadline) || undefined;
  }

  #all(): readonly number[] {
    return Array.from({ length: this.#link.partitions }, (_, partition) => partition);
  }

  async #renew(partition: number, wants: boolean): Promise<void> {
    const known = this.#storeIds[partition] ?? '';
    const reply = (await this.#link.run('renew', partition, [
      ...[this.holderOf(), known, this.#batches[partition] ?? 0, leaseMs, this.#link.partitions],
      ...[randomBytes(4).toString('hex'), 0, wants ? 1 : 0, wants ? 0 : 1, 0],
    ])) as readonly Reply[];
    if (reply[0] !== 'OK') throw new Error(`renew answered ${JSON.stringify(reply)}`);
    this.#storeIds[partition] = String(reply[2]);
  }

  async #write(partition: number): Promise<void> {
    for (;;) {
      await Promise.resolve();
      this.#wanted.delete(partition);
      const groups = this.#sources.flatMap((source) => source.take(partition, 64));
      if (groups.length === 0) return;
      const batch = (this.#batches[partition] ?? 0) + 1;
      this.#batches[partition] = batch;
      const reply = (await this.#link.run('apply', partition, [
        ...[this.holderOf(), this.#storeIds[partition] ?? '', batch, this.#graceMs, retainMs, ''],
        ...[groups.length, ...groups.flatMap(({ args }) => args)],
      ])) as readonly Reply[];
      this.#noteDeadline(partition, reply[1]);
      if (reply[0] !== 'OK') throw new Error(`apply answered ${JSON.stringify(reply)}`);
      for (const [index, group] of groups.entries()) group.answered(String(reply[index + 2]));
    }
  }
}

const retainMs = 3_600_000;

/** Whatever the store said before has arrived. */
export async function heard(link: StoreLink): Promise<void> {
  const topic = { partition: 0, name: 'probe' };
  await link.listen([topic]);
  const message = randomBytes(6).toString('hex');
  const arrived = firstValueFrom(link.messages$.pipe(filter((one) => one.message === message)));
  link.publish(topic, message);
  await arrived;
}

/** What nodes of a spec have in common. */
export interface Deployment {
  readonly redis: RedisServer;
  readonly prefix: string;
  readonly partitions: number;
  readonly shift: Shift;
  readonly retainMs: number;
  readonly maxBytes: number;
}

export type OutboxNode = Awaited<ReturnType<typeof startOutboxNode>>;

/** A node with nothing but its outbox, and with channels that come and go as it is told. */
export async function startOutboxNode(deployment: Deployment, isOwner = true) {
  const { redis, partitions, shift, prefix, retainMs: retained, maxBytes } = deployment;
  const link = newLink(redis, partitions, shift, prefix);
  const node = new PlainNode(link, 0);
  const said: string[] = [];
  const outbox = new RedisOutbox({
    link,
    node,
    clock: { now: () => Date.now() + shift.ms },
    retainMs: retained,
    maxBytesPerApp: maxBytes,
    timeoutMs: 1_000,
    onCoalesced: ({ endpointId, events }) => said.push(`${endpointId} coalesced ${events}`),
    onDeadLettered: ({ endpointId, events, reason }) =>
      said.push(`${endpointId} buried ${events}: ${reason}`),
    onExpired: ({ endpointId, events }) => said.push(`${endpointId} expired ${events}`),
    onUpkeepFailed: (error) => said.push(`failed: ${String(error)}`),
  });
  const channels = new ChannelChanges(partitions);
  node.addSource(channels);
  const work: LaneWork[] = [];
  void outbox.work$.forEach((one) => work.push(one));
  await link.open();
  await node.open(isOwner);
  const rest = async (): Promise<void> => {
    await node.written();
    await heard(link);
    await outbox.idle();
  };
  const change = async (
    args: (channel: string) => Group['args'],
    names: readonly string[],
  ): Promise<void> => {
    for (const name of names) node.poke(channels.add(name, args(name)));
    await rest();
  };
  const group = (channel: string, subscriptions: number): Group['args'] => [
    ...['c', 'app-1', channel, subscriptions, subscriptions > 0 ? '1' : '0', 0, 0, 0],
  ];
  return {
    link,
    node,
    outbox,
    said,
    work,
    rest,
    open: (...endpoints: readonly OutboxEndpoint[]) => outbox.open(endpoints).then(rest),
    occupy: (...names: readonly string[]) => change((name) => group(name, 1), names),
    vacate: (...names: readonly string[]) => change((name) => group(name, 0), names),
    close: async (): Promise<void> => {
      await node.close();
      outbox.close();
      await outbox.idle();
      await link.close();
    },
  };
}

/** Channels that come and go. */
class ChannelChanges implements GroupSource {
  readonly #waiting: readonly Group[][];

  constructor(partitions: number) {
    this.#waiting = Array.from({ length: partitions }, () => []);
  }

  /** Answers the partition. */
  add(channel: string, args: Group['args']): number {
    const partition = partitionOf('app-1', channel, this.#waiting.length);
    this.#waiting[partition]?.push({ args, changes: 1, answered: () => undefined });
    return partition;
  }

  take(partition: number): readonly Group[] {
    return this.#waiting[partition]?.splice(0) ?? [];
  }

  waiting(partition: number): { readonly changes: number; readonly isUrgent: boolean } {
    return { changes: this.#waiting[partition]?.length ?? 0, isUrgent: true };
  }

  away(): void {
    // It only does what a spec says.
  }

  returned(): void {
    // It only does what a spec says.
  }

  assertAll(): void {
    // It only does what a spec says.
  }
}
