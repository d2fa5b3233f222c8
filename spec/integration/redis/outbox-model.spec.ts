import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Lane, LaneContent, RecordedBatch } from '../../../lib/outbox/outbox.ts';
import type { OutboxEvent } from '../../../lib/outbox/outbox-event.ts';
import { endpoint } from '../../lib/outbox/open-outbox.ts';
import { type RedisServer, startRedis } from '../../support/redis.ts';
import { newPrefix, type OutboxNode, startOutboxNode } from './outbox-rig.ts';

let redis: RedisServer;
let nodes: OutboxNode[] = [];
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
afterEach(closeAll);

async function closeAll(): Promise<void> {
  await Promise.all(nodes.map((node) => node.close()));
  nodes = [];
}

const partitions = 2;
const lanes: readonly Lane[] = [0, 1].map((partition) => ({ appId: 'app-1', endpointId: 'hook', partition }));

const step = fc.oneof(
  fc.record({ do: fc.constant('say' as const), by: fc.nat(1), channel: fc.constantFrom('a', 'b', 'c', 'd') }),
  fc.record({
    do: fc.constant('turn' as const),
    by: fc.nat(1),
    lane: fc.nat(1),
    limit: fc.integer({ min: 1, max: 4 }),
    end: fc.constantFrom('taken', 'taken', 'failed', 'split', 'given up', 'nothing', 'skipped'),
  }),
  fc.record({
    do: fc.constant('settle late' as const),
    by: fc.nat(1),
    end: fc.constantFrom('taken', 'failed'),
  }),
  fc.record({ do: fc.constant('move' as const) }),
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** Two nodes and the endpoint behind them. */
class History {
  readonly said: string[] = [];
  readonly #both: readonly OutboxNode[];
  /** By batch: the bytes of its first attempt. */
  readonly #bodies = new Map<string, string>();
  readonly #firsts: string[] = [];
  readonly #left = new Set<string>();
  /** The last batch that each node sent. */
  readonly #last = new Map<OutboxNode, { readonly lane: Lane; readonly id: string }>();
  #owner = 0;
  #batches = 0;

  constructor(both: readonly OutboxNode[]) {
    this.#both = both;
  }

  async run(one: Step): Promise<void> {
    switch (one.do) {
      case 'say':
        return this.#say(this.#both[one.by]!, one.channel);
      case 'turn':
        return this.#turn(this.#both[one.by]!, lanes[one.lane]!, one);
      case 'settle late':
        return this.#settleLate(this.#both[one.by]!, one.end);
      case 'move':
        return this.#move();
    }
  }

  /** Everything that is left is sent. */
  async end(): Promise<void> {
    for (const lane of lanes) {
      const more = async () => this.#turn(this.#both[this.#owner]!, lane, { limit: 3, end: 'taken' });
      while (await this.#hasWork(lane)) await more();
    }
  }

  /** What came first, in order, by channel; without what was skipped or given up. */
  firsts(channel: string): readonly string[] {
    return this.#firsts.filter((text) => text.startsWith(channel));
  }

  meant(channel: string): readonly string[] {
    return this.said.filter((text) => text.startsWith(channel) && !this.#left.has(text));
  }

  async #say({ outbox }: OutboxNode, channel: string): Promise<void> {
    const data = `${channel} ${this.said.length}`;
    this.said.push(data);
    const rest = { event: 'client-said', data, socketId: '1.1' };
    await outbox.append([{ kind: 'client_event', appId: 'app-1', channel, ...rest }]);
  }

  async #hasWork(lane: Lane): Promise<boolean> {
    const { batch, events } = await this.#both[this.#owner]!.outbox.read(lane, 1);
    return batch !== undefined || events.length > 0;
  }

  async #turn(node: OutboxNode, lane: Lane, { limit, end }: { limit: number; end: string }): Promise<void> {
    const { outbox } = node;
    const content = await outbox.read(lane, limit);
    const batch = content.batch ?? (await this.#record(node, lane, content, end));
    if (batch === undefined) return;
    const isOwner = node === this.#both[this.#owner];
    if (!isOwner) throw new Error('a node that is not the owner was given something to send');
    this.#last.set(node, { lane, id: batch.id });
    this.#receive(batch, end === 'taken');
    if (end === 'taken') await outbox.acknowledge(lane, batch.id);
    if (end === 'failed') await outbox.failed(lane, batch.id, { reason: '503', isRefusal: false });
    if (end === 'given up') {
      await outbox.deadLetter(lane, batch.id, '400');
      for (const text of textsOf(batch.events)) if (!this.#firsts.includes(text)) this.#left.add(text);
    }
    if (end === 'split') {
      const parts = batch.events.map((event) => this.#newBatch([event]));
      await outbox.split(lane, batch.id, parts);
    }
  }

  async #record(
    { outbox }: OutboxNode,
    lane: Lane,
    { events, token }: LaneContent,
    end: string,
  ): Promise<Pick<RecordedBatch, 'id' | 'body' | 'events'> | undefined> {
    const last = events.at(-1);
    if (last === undefined) return undefined;
    if (end === 'skipped') {
      expect(await outbox.skip(lane, token, last.position)).toBe(true);
      for (const text of textsOf(events.map(({ event }) => event))) this.#left.add(text);
      return undefined;
    }
    const batch = this.#newBatch(events.map(({ event }) => event));
    expect(await outbox.record(lane, token, last.position, batch)).toBe(true);
    return batch;
  }

  #newBatch(events: readonly OutboxEvent[]) {
    const id = `msg_${++this.#batches}`;
    return { id, body: Buffer.from(`${id}: ${textsOf(events).join()}`), events, createdAtMs: 1 };
  }

  /** Bytes are the same each time. */
  #receive({ id, body, events }: Pick<RecordedBatch, 'id' | 'body' | 'events'>, isTaken: boolean): void {
    const text = body.toString();
    expect([id, this.#bodies.get(id) ?? text]).toEqual([id, text]);
    this.#bodies.set(id, text);
    if (!isTaken) return;
    for (const one of textsOf(events)) if (!this.#firsts.includes(one)) this.#firsts.push(one);
  }

  /** Somebody who does not own the lane any more says what came of an attempt. */
  async #settleLate(node: OutboxNode, end: string): Promise<void> {
    const last = this.#last.get(node);
    if (last === undefined || node === this.#both[this.#owner]) return;
    if (end === 'taken') await node.outbox.acknowledge(last.lane, last.id);
    else await node.outbox.failed(last.lane, last.id, { reason: 'late', isRefusal: false });
  }

  async #move(): Promise<void> {
    await this.#both[this.#owner]!.node.give();
    this.#owner = 1 - this.#owner;
    await this.#both[this.#owner]!.node.take();
  }
}

function textsOf(events: readonly OutboxEvent[]): readonly string[] {
  return events.map((event) => (event.kind === 'client_event' ? event.data : event.kind));
}

test('whoever owns the lanes, what was appended is sent in order, with the same bytes each time', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
      await closeAll();
      const deployment = {
        ...{ redis, prefix: newPrefix(), partitions, shift: { ms: 0 } },
        ...{ retainMs: 3_600_000, maxBytes: 1e9 },
      };
      for (const isOwner of [true, false]) nodes.push(await startOutboxNode(deployment, isOwner));
      for (const node of nodes) await node.open(endpoint('hook'));
      const history = new History(nodes);
      for (const one of steps) await history.run(one);
      await history.end();
      for (const channel of ['a', 'b', 'c', 'd']) {
        expect(history.firsts(channel)).toEqual(history.meant(channel));
      }
      const [backlog] = await nodes[0]!.outbox.backlogs();
      expect([backlog!.events, nodes.flatMap(({ said }) => said)]).toEqual([0, []]);
    }),
    { numRuns: 40 },
  );
});
