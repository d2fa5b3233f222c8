import type { ClusterNode } from '../../cluster/cluster-node.ts';
import type { Reply, StoreLink } from '../../redis/store-link.ts';
import type { BatchFailure, Lane, NewBatch, RecordedBatch, SentSeq } from '../outbox.ts';
import { isLifecycle, type OutboxEvent } from '../outbox-event.ts';
import { partitionOf } from '../../cluster/partition.ts';
import { toEntries } from './entries.ts';
import { listOf, numberOf, pairsOf, textOf, textsOf } from './replies.ts';

/** What the owner of a lane knows of it after each answer of the store. */
export interface LaneFacts {
  readonly token: number;
  /** Events that are not recorded. */
  readonly pending: number;
  readonly hasBatch: boolean;
  /** Number of the last entry that was passed. */
  readonly position: number;
  /** Events that are read before the entries. */
  readonly folded: number;
}

export interface WaitingEvent {
  readonly event: OutboxEvent;
  readonly position: number;
  /** Since when it waits: it entered then, or was asked for again. */
  readonly sinceMs: number;
}

/** What lies before a lane. */
export interface LaneReading extends LaneFacts {
  readonly batch: RecordedBatch | undefined;
  readonly events: readonly WaitingEvent[];
  readonly sent: ReadonlyMap<string, SentSeq>;
}

/** Kept as a dead letter under the id of its event. */
export interface Letter {
  readonly id: string;
  readonly json: string;
}

export interface LaneStoreOptions {
  readonly link: StoreLink;
  readonly node: ClusterNode;
  /** Of the dead letters of one endpoint in one partition. */
  readonly maxLetterBytes: number;
}

type Argument = string | number | Buffer;

/** The `lane` script. Undefined: the lane is not this node's, is not there, or is not as it was. */
export class LaneStore {
  readonly #options: LaneStoreOptions;

  constructor(options: LaneStoreOptions) {
    this.#options = options;
  }

  partitionOf({ appId, endpointId, partition }: Lane): number {
    if (partition !== 'replay') return partition;
    return partitionOf(appId, endpointId, this.#options.link.partitions);
  }

  async read(lane: Lane, limit: number): Promise<LaneReading | undefined> {
    const reply = await this.#run(lane, 'read', limit);
    return reply && (textOf(reply[0]) === 'BATCH' ? toRecorded(reply) : toWaiting(lane, reply));
  }

  /** Whatever is recorded, and without the first `offset` events. */
  async peek(lane: Lane, offset: number, limit: number): Promise<LaneReading | undefined> {
    const reply = await this.#run(lane, 'peek', offset, limit);
    return reply && toWaiting(lane, reply);
  }

  record(lane: Lane, token: number, upTo: number, batch: NewBatch): Promise<LaneFacts | undefined> {
    return this.#change(lane, 'record', token, upTo, ...argumentsOf(batch));
  }

  skip(lane: Lane, token: number, upTo: number): Promise<LaneFacts | undefined> {
    return this.#change(lane, 'skip', token, upTo);
  }

  /** Answers how many older dead letters had to go for these. */
  async expire(
    lane: Lane,
    token: number,
    upTo: number,
    letters: readonly Letter[],
  ): Promise<number | undefined> {
    const { maxLetterBytes } = this.#options;
    const reply = await this.#run(lane, 'expire', token, upTo, maxLetterBytes, ...flat(letters));
    return reply && numberOf(reply[6]);
  }

  acknowledge(lane: Lane, batchId: string): Promise<LaneFacts | undefined> {
    return this.#change(lane, 'acknowledge', batchId);
  }

  failed(lane: Lane, batchId: string, { reason, isRefusal }: BatchFailure): Promise<LaneFacts | undefined> {
    return this.#change(lane, 'failed', batchId, isRefusal ? 1 : 0, reason);
  }

  split(lane: Lane, batchId: string, parts: readonly NewBatch[]): Promise<LaneFacts | undefined> {
    return this.#change(lane, 'split', batchId, ...parts.flatMap(argumentsOf));
  }

  /** Answers how many older dead letters had to go for these too. */
  async giveUp(
    lane: Lane,
    batchId: string,
    letters: readonly Letter[],
  ): Promise<(LaneFacts & { readonly gone: number }) | undefined> {
    const reply = await this.#run(lane, 'giveUp', batchId, this.#options.maxLetterBytes, ...flat(letters));
    return reply && { ...toFacts(reply), gone: numberOf(reply[6]) };
  }

  /** These events, which take so many bytes, stand for everything up to `upTo`. */
  fold(
    lane: Lane,
    token: number,
    upTo: number,
    events: readonly OutboxEvent[],
    { leftOut, bytes }: { readonly leftOut: number; readonly bytes: number },
  ): Promise<LaneFacts | undefined> {
    const texts = events.map((event) => JSON.stringify(event));
    return this.#change(lane, 'fold', token, upTo, leftOut, bytes, ...texts);
  }

  /** Answers how many the replay lane had room for. */
  async replay(
    lane: Lane,
    maxEvents: number,
    events: readonly OutboxEvent[],
    askedAtMs: number,
  ): Promise<number> {
    const asked = events.map((event) => JSON.stringify({ event, askedAtMs }));
    const [, accepted] = await this.#ask(lane, this.partitionOf(lane), 'replay', maxEvents, ...asked);
    return numberOf(accepted);
  }

  /** Keeps dead letters in a partition, whoever owns it; answers how many older ones had to go for them. */
  async bury(lane: Lane, partition: number, letters: readonly Letter[]): Promise<number> {
    const { maxLetterBytes } = this.#options;
    const log = { ...lane, partition };
    const [, gone] = await this.#ask(log, partition, 'bury', maxLetterBytes, ...flat(letters));
    return numberOf(gone);
  }

  async forget(lane: Lane, partition: number, eventIds: readonly string[]): Promise<void> {
    await this.#ask({ ...lane, partition }, partition, 'forget', ...eventIds);
  }

  async #change(lane: Lane, mode: string, ...args: readonly Argument[]): Promise<LaneFacts | undefined> {
    const reply = await this.#run(lane, mode, ...args);
    return reply && toFacts(reply);
  }

  async #run(lane: Lane, mode: string, ...args: readonly Argument[]): Promise<readonly Reply[] | undefined> {
    const reply = await this.#ask(lane, this.partitionOf(lane), mode, ...args);
    const word = textOf(reply[0]);
    return word === 'NONE' || word === 'CHANGED' ? undefined : reply;
  }

  async #ask(
    { appId, endpointId, partition }: Lane,
    at: number,
    mode: string,
    ...args: readonly Argument[]
  ): Promise<readonly Reply[]> {
    const { link, node } = this.#options;
    const lane = partition === 'replay' ? 'replay' : 'log';
    return listOf(await link.run('lane', at, [mode, node.holderOf(at), appId, endpointId, lane, ...args]));
  }
}

function flat(letters: readonly Letter[]): readonly string[] {
  return letters.flatMap(({ id, json }) => [id, json]);
}

function argumentsOf({ id, body, events, createdAtMs }: NewBatch): readonly Argument[] {
  const oldestAtMs = events[0]?.atMs ?? createdAtMs;
  return [id, createdAtMs, events.length, oldestAtMs, seqsOf(events), JSON.stringify(events), body];
}

/** The last `seq` of each channel, in lines: what the endpoint was sent once it has taken the batch. */
function seqsOf(events: readonly OutboxEvent[]): string {
  const last = new Map(
    events.filter(isLifecycle).map(({ channel, epoch, seq }) => [channel, `${channel} ${epoch} ${seq}`]),
  );
  return [...last.values()].join('\n');
}

function toFacts([, token, pending, hasBatch, position, folded]: readonly Reply[]): LaneFacts {
  return {
    token: numberOf(token),
    pending: numberOf(pending),
    hasBatch: numberOf(hasBatch) === 1,
    position: numberOf(position),
    folded: numberOf(folded),
  };
}

function toRecorded(reply: readonly Reply[]): LaneReading {
  const [id, meta, events, body] = reply.slice(6).map(textOf);
  const batch = {
    id: textOf(id),
    body: Buffer.from(textOf(body)),
    events: JSON.parse(textOf(events)) as readonly OutboxEvent[],
    ...toMeta(textOf(meta)),
  };
  return { ...toFacts(reply), batch, events: [], sent: new Map() };
}

/** What the store notes of a batch beside its events and its body. */
export function toMeta(
  text: string,
): Pick<RecordedBatch, 'createdAtMs' | 'failures' | 'refusedSinceMs' | 'isSplit' | 'lastFailure'> {
  const [created, failures, since, isSplit, , , ...last] = text.split('|');
  return {
    createdAtMs: numberOf(created),
    failures: numberOf(failures),
    refusedSinceMs: since === '' ? undefined : numberOf(since),
    isSplit: isSplit === '1',
    lastFailure: failures === '0' ? undefined : last.join('|'),
  };
}

function toWaiting(lane: Lane, reply: readonly Reply[]): LaneReading {
  const first = numberOf(reply[6]);
  const folded = textsOf(reply[7]).map((json, index) => ({
    ...(lane.partition === 'replay' ? toAsked(json) : toFolded(json)),
    position: first + index,
  }));
  const entries = toEntries(lane.appId, reply[8]).map(({ number, event }) => ({
    event,
    position: number,
    sinceMs: event.atMs,
  }));
  const sent = new Map(pairsOf(textsOf(reply[9])).map(([channel, text]) => [channel, toSentSeq(text)]));
  return { ...toFacts(reply), batch: undefined, events: [...folded, ...entries], sent };
}

function toFolded(json: string): Pick<WaitingEvent, 'event' | 'sinceMs'> {
  const event = JSON.parse(json) as OutboxEvent;
  return { event, sinceMs: event.atMs };
}

function toAsked(json: string): Pick<WaitingEvent, 'event' | 'sinceMs'> {
  const { event, askedAtMs } = JSON.parse(json) as {
    readonly event: OutboxEvent;
    readonly askedAtMs: number;
  };
  return { event, sinceMs: askedAtMs };
}

function toSentSeq(text: string): SentSeq {
  const [epoch, seq] = text.split(' ');
  return { epoch: textOf(epoch), seq: numberOf(seq) };
}
