import type { ClusterNode } from '../../cluster/cluster-node.ts';
import type { Reply, StoreLink } from '../../redis/store-link.ts';
import type { OutboxEndpoint, RecordedBatch } from '../outbox.ts';
import type { OutboxEvent } from '../outbox-event.ts';
import { type Entry, toEntries } from './entries.ts';
import { toMeta } from './lane-store.ts';
import { listOf, numberOf, textOf, textsOf } from './replies.ts';

/** What one endpoint has in one partition. */
export interface PartitionBacklog {
  readonly appId: string;
  readonly endpointId: string;
  /** When it was configured no more. */
  readonly closedAtMs: number | undefined;
  /** Events that are not recorded. */
  readonly pending: number;
  /** Events in batches. */
  readonly recorded: number;
  readonly bytes: number;
  readonly oldestAtMs: number | undefined;
  readonly deadLetters: number;
  readonly leftOut: number;
  /** Number of the last entry that was passed. */
  readonly position: number;
  /** Events that are read before the entries. */
  readonly folded: number;
  /** Events on its replay lane, if that lies here. */
  readonly replays: number;
  readonly hasReplayBatch: boolean;
  /** Number of the last entry of the app. */
  readonly head: number;
}

/** How far one endpoint has come in one partition. */
export interface LaneProgress {
  readonly endpointId: string;
  readonly start: number;
  readonly position: number;
  readonly batches: readonly Pick<RecordedBatch, 'id' | 'events' | 'failures' | 'lastFailure'>[];
}

export interface DeadLetter {
  readonly event: OutboxEvent;
  readonly reason: string;
  readonly failures: number;
  readonly batchId?: string;
}

export interface TrimResult {
  /** What the app holds in the partition now. */
  readonly heldBytes: number;
  /** Of them those of entries. */
  readonly entryBytes: number;
  readonly head: number;
  readonly isMore: boolean;
}

/** The scripts `endpoints` and `outbox`: what a partition has of every app. Undefined: the partition is not this node's. */
export class PartitionStore {
  readonly #link: StoreLink;
  readonly #node: ClusterNode;

  constructor(link: StoreLink, node: ClusterNode) {
    this.#link = link;
    this.#node = node;
  }

  /** Lists these as this node's, and retires what only nodes that are gone had listed; answers the apps that have endpoints. */
  list(partition: number, endpoints: readonly OutboxEndpoint[]): Promise<readonly string[]> {
    const names = endpoints.flatMap(({ appId, id }) => [appId, id]);
    return this.#endpoints(partition, [this.#node.nodeId, ...names]);
  }

  /** Of one app, or of all. */
  async backlogs(partition: number, appId = ''): Promise<readonly PartitionBacklog[]> {
    const rows = await this.#ask(partition, 'backlogs', appId);
    return rows.map((row) => toBacklog(listOf(row)));
  }

  async entries(partition: number, appId: string, from: number, limit: number): Promise<readonly Entry[]> {
    const [entries] = await this.#ask(partition, 'entries', appId, from, limit);
    return toEntries(appId, entries);
  }

  async lanes(partition: number, appId: string): Promise<readonly LaneProgress[]> {
    const lanes = await this.#ask(partition, 'lanes', appId);
    return lanes.map((lane) => toProgress(listOf(lane)));
  }

  async folded(
    partition: number,
    { appId, endpointId }: { readonly appId: string; readonly endpointId: string },
    offset: number,
    limit: number,
  ): Promise<readonly OutboxEvent[]> {
    const [events] = await this.#ask(partition, 'folded', appId, endpointId, offset, limit);
    return textsOf(events).map((json) => JSON.parse(json) as OutboxEvent);
  }

  async deadLetters(
    partition: number,
    { appId, endpointId }: { readonly appId: string; readonly endpointId: string },
    offset: number,
    limit: number,
  ): Promise<readonly DeadLetter[]> {
    const [letters] = await this.#ask(partition, 'dead', appId, endpointId, offset, limit);
    return textsOf(letters).map((json) => JSON.parse(json) as DeadLetter);
  }

  /** Lets go what every lane has passed and is older than `beforeMs` (0: nothing), or takes more than `maxBytes`. */
  async trim(
    partition: number,
    appId: string,
    {
      maxBytes,
      beforeMs,
      limit,
    }: { readonly maxBytes: number; readonly beforeMs: number; readonly limit: number },
  ): Promise<TrimResult | undefined> {
    const reply = await this.#own(partition, 'trim', appId, maxBytes, beforeMs, limit);
    if (reply === undefined) return undefined;
    const [held = 0, head = 0, isMore = 0, entries = 0] = reply.map(numberOf);
    return { heldBytes: held, head, isMore: isMore === 1, entryBytes: entries };
  }

  /** Dead letters that were kept long enough go, at most `limit`; answers how many. */
  expireLetters(
    partition: number,
    appId: string,
    endpointId: string,
    beforeMs: number,
    limit: number,
  ): Promise<number> {
    return this.#count(partition, 'expire', appId, endpointId, beforeMs, limit);
  }

  /** Forgets what was sent of channels that are known no more, from `cursor` on; answers where to go on, '0' at the end. */
  async forgetSeqs(partition: number, appId: string, endpointId: string, cursor: string): Promise<string> {
    const reply = await this.#own(partition, 'seqs', appId, endpointId, cursor);
    return reply === undefined ? '0' : textOf(reply[0]);
  }

  /** Answers how many events the endpoint was never told; undefined when it stays. */
  async forgetEndpoint(
    partition: number,
    appId: string,
    endpointId: string,
    beforeMs: number,
  ): Promise<number | undefined> {
    const reply = await this.#own(partition, 'forget', appId, endpointId, beforeMs);
    return reply && numberOf(reply[0]);
  }

  async #endpoints(partition: number, args: readonly string[]): Promise<readonly string[]> {
    return listOf(await this.#link.run('endpoints', partition, args))
      .slice(1)
      .map(textOf);
  }

  async #count(partition: number, mode: string, ...args: readonly (string | number)[]): Promise<number> {
    const reply = await this.#own(partition, mode, ...args);
    return reply === undefined ? 0 : numberOf(reply[0]);
  }

  /** What only the owner may do. */
  async #own(
    partition: number,
    mode: string,
    ...args: readonly (string | number)[]
  ): Promise<readonly Reply[] | undefined> {
    const holder = this.#node.holderOf(partition);
    const [word, ...rest] = listOf(await this.#link.run('outbox', partition, [mode, holder, ...args]));
    return word === 'OK' ? rest : undefined;
  }

  async #ask(
    partition: number,
    mode: string,
    ...args: readonly (string | number)[]
  ): Promise<readonly Reply[]> {
    return listOf(await this.#link.run('outbox', partition, [mode, ...args])).slice(1);
  }
}

function toBacklog(row: readonly Reply[]): PartitionBacklog {
  const [appId, endpointId, closedAt, ...numbers] = row;
  const [
    pending = 0,
    recorded = 0,
    bytes = 0,
    oldest = 0,
    deadLetters = 0,
    leftOut = 0,
    position = 0,
    ...rest
  ] = numbers.map(numberOf);
  const [replays = 0, hasReplayBatch = 0, folded = 0, head = 0] = rest;
  return {
    appId: textOf(appId),
    endpointId: textOf(endpointId),
    closedAtMs: closedAt === '' ? undefined : numberOf(closedAt),
    pending,
    recorded,
    bytes,
    oldestAtMs: oldest === 0 ? undefined : oldest,
    deadLetters,
    leftOut,
    position,
    folded,
    replays,
    hasReplayBatch: hasReplayBatch === 1,
    head,
  };
}

function toProgress([endpointId, start, position, batches]: readonly Reply[]): LaneProgress {
  const texts = textsOf(batches);
  const recorded: LaneProgress['batches'][number][] = [];
  for (let at = 0; at < texts.length; at += 3) {
    const [id, meta, events] = texts.slice(at, at + 3);
    const { failures, lastFailure } = toMeta(textOf(meta));
    recorded.push({
      id: textOf(id),
      events: JSON.parse(textOf(events)) as readonly OutboxEvent[],
      failures,
      lastFailure,
    });
  }
  return {
    endpointId: textOf(endpointId),
    start: numberOf(start),
    position: numberOf(position),
    batches: recorded,
  };
}
