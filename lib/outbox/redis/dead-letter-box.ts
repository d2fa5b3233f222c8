import type { OutboxHooks } from '../memory/outbox-hooks.ts';
import type { Lane, RecordedBatch } from '../outbox.ts';
import type { OutboxEvent } from '../outbox-event.ts';
import { partitionOf } from '../../cluster/partition.ts';
import type { LaneFacts, LaneStore, Letter } from './lane-store.ts';

const everyChannel = '*';

/**
 * What endpoints could not be told. A dead letter lies where its event did: of a log's lane in the same partition, in the
 * same step; of a replay lane in the partition of each channel, before the batch goes.
 */
export class DeadLetterBox {
  readonly #lanes: LaneStore;
  readonly #partitions: number;
  readonly #hooks: OutboxHooks;

  constructor(lanes: LaneStore, partitions: number, hooks: OutboxHooks) {
    this.#lanes = lanes;
    this.#partitions = partitions;
    this.#hooks = hooks;
  }

  /** Undefined: the batch is not there any more, or the lane is another node's. */
  async giveUp(lane: Lane, batch: RecordedBatch, reason: string): Promise<LaneFacts | undefined> {
    const { id: batchId, failures, events } = batch;
    const letters = toLetters(events, { reason, failures, batchId });
    const isLog = lane.partition !== 'replay';
    if (!isLog) await this.#bury(lane, events, letters);
    const facts = await this.#lanes.giveUp(lane, batchId, isLog ? letters : []);
    if (facts !== undefined) this.#tellExpired(lane, facts.gone);
    return facts;
  }

  /** Goes on behind `upTo`, and keeps these of what lay before it. False: the lane has changed. */
  async expire(
    lane: Lane,
    token: number,
    upTo: number,
    events: readonly OutboxEvent[],
    reason: string,
  ): Promise<boolean> {
    const letters = toLetters(events, { reason, failures: 0 });
    if (lane.partition === 'replay') {
      await this.#bury(lane, events, letters);
      return (await this.#lanes.skip(lane, token, upTo)) !== undefined;
    }
    const gone = await this.#lanes.expire(lane, token, upTo, letters);
    if (gone !== undefined) this.#tellExpired(lane, gone);
    return gone !== undefined;
  }

  /** The endpoint took these after all. */
  async forget(lane: Lane, events: readonly OutboxEvent[]): Promise<void> {
    const byPartition = new Map(this.#byPartition(events.filter(({ channel }) => channel !== everyChannel)));
    // A range of many channels lies where its lane did.
    const anywhere = events.filter(({ channel }) => channel === everyChannel);
    for (let partition = 0; anywhere.length > 0 && partition < this.#partitions; partition++) {
      byPartition.set(partition, [...(byPartition.get(partition) ?? []), ...anywhere]);
    }
    await Promise.all(
      Array.from(byPartition, ([partition, own]) => {
        const ids = own.map(({ id }) => id);
        return this.#lanes.forget(lane, partition, ids);
      }),
    );
  }

  async #bury(lane: Lane, events: readonly OutboxEvent[], letters: readonly Letter[]): Promise<void> {
    // One that was a dead letter before lies wherever its lane did.
    await this.forget(
      lane,
      events.filter(({ channel }) => channel === everyChannel),
    );
    const byId = new Map(letters.map((letter) => [letter.id, letter]));
    for (const [partition, of] of this.#byPartition(events)) {
      const own = of.flatMap(({ id }) => byId.get(id) ?? []);
      this.#tellExpired(lane, await this.#lanes.bury(lane, partition, own));
    }
  }

  #byPartition(events: readonly OutboxEvent[]): ReadonlyMap<number, readonly OutboxEvent[]> {
    const byPartition = new Map<number, OutboxEvent[]>();
    for (const event of events) {
      const partition = partitionOf(event.appId, event.channel, this.#partitions);
      const own = byPartition.get(partition);
      if (own === undefined) byPartition.set(partition, [event]);
      else own.push(event);
    }
    return byPartition;
  }

  #tellExpired({ appId, endpointId }: Lane, events: number): void {
    if (events > 0) this.#hooks.onExpired?.({ appId, endpointId, events });
  }
}

function toLetters(
  events: readonly OutboxEvent[],
  rest: { readonly reason: string; readonly failures: number; readonly batchId?: string },
): readonly Letter[] {
  return events.map((event) => ({ id: event.id, json: JSON.stringify({ event, ...rest }) }));
}
