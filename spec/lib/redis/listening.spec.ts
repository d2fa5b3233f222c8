import { EventEmitter } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { Listening } from '../../../lib/redis/listening.ts';

/** A connection that keeps what its server would: orders are answered when the spec says so, in order. */
class FakeRedis extends EventEmitter {
  status = 'wait';
  readonly subscribed = new Set<string>();
  #orders: { readonly run: () => void; readonly fail: () => void }[] = [];

  connect(): Promise<void> {
    return Promise.resolve();
  }

  disconnect(): void {
    this.lose();
  }

  ping(): Promise<string> {
    return this.#order(() => undefined).then(() => 'PONG');
  }

  call(command: string, ...channels: string[]): Promise<unknown> {
    return this.#order(() => {
      for (const channel of channels) {
        if (command.endsWith('unsubscribe')) this.subscribed.delete(channel);
        else this.subscribed.add(channel);
      }
    });
  }

  become(): void {
    if (this.status === 'ready') return;
    this.status = 'ready';
    this.emit('ready');
  }

  lose(): void {
    this.status = 'reconnecting';
    this.subscribed.clear();
    for (const { fail } of this.#orders.splice(0)) fail();
    this.emit('close');
  }

  answer(count: number): void {
    for (const { run } of this.#orders.splice(0, count)) run();
  }

  refuse(): void {
    this.#orders.shift()?.fail();
  }

  #order(effect: () => void): Promise<void> {
    if (this.status !== 'ready') return Promise.reject(new Error("Stream isn't writeable"));
    return new Promise((resolve, reject) => {
      const run = (): void => {
        effect();
        resolve();
      };
      this.#orders.push({ run, fail: () => reject(new Error('Connection is closed.')) });
    });
  }
}

class Rig {
  readonly connections = new Map<string, FakeRedis>();
  readonly heard: string[] = [];
  gaps = 0;
  lost = 0;
  /** Which node has the partition. */
  readonly places = ['a', 'b'];
  readonly listening = new Listening({
    isSharded: true,
    places: {
      channelOf: ({ partition, name }) => `${partition}:${name}`,
      nodeOf: (partition) => this.places[partition],
      nodes: () => [...new Set(this.places)],
    },
    connect: (node) => {
      const redis = new FakeRedis();
      this.connections.set(node, redis);
      return redis as unknown as Redis;
    },
    onMessage: ({ message }) => this.heard.push(message),
    onGap: () => this.gaps++,
    onLost: () => this.lost++,
    onReconnect: () => undefined,
    onError: () => undefined,
  });

  constructor() {
    this.listening.follow();
  }

  connection(node: string): FakeRedis {
    const redis = this.connections.get(node);
    if (redis === undefined) throw new Error(`no connection to ${node}`);
    return redis;
  }

  /** Every connection is made and everything ordered is answered. */
  async settle(): Promise<void> {
    for (let round = 0; round < 4; round++) {
      for (const redis of this.connections.values()) redis.become();
      const check = Promise.allSettled([this.listening.check()]);
      await turn();
      for (const redis of this.connections.values()) redis.answer(Infinity);
      await check;
      await turn();
    }
  }

  subscribedAt(node: string): readonly string[] {
    return [...this.connection(node).subscribed].sort();
  }
}

const topic = (partition: number, name: string): { partition: number; name: string } => ({ partition, name });

describe('listening', () => {
  it('is confirmed for all who asked by one answer, and at once when it is already', async () => {
    const rig = new Rig();
    rig.connection('a').become();
    const confirmed: number[] = [];
    const both = [1, 2].map((who) => rig.listening.listen([topic(0, 'x')]).then(() => confirmed.push(who)));
    await turn();
    expect(confirmed).toEqual([]);
    rig.connection('a').answer(1);
    await Promise.all(both);
    await rig.listening.listen([topic(0, 'x')]);
    expect(confirmed).toEqual([1, 2]);
  });

  it('while the connection is away is confirmed when it is back; the gap is told when all of it is', async () => {
    const rig = new Rig();
    const redis = rig.connection('a');
    const first = rig.listening.listen([topic(0, 'x')]);
    redis.become();
    redis.answer(1);
    await first;
    redis.lose();
    expect([rig.gaps, rig.lost, rig.listening.isWhole]).toEqual([0, 1, false]);
    const second = rig.listening.listen([topic(0, 'y')]);
    redis.become();
    await turn();
    expect(rig.gaps).toBe(0);
    redis.answer(1);
    await second;
    expect(rig.gaps).toBe(1);
    expect(redis.subscribed).toEqual(new Set(['0:x', '0:y']));
  });

  it('that is lost again before all was restored tells one gap', async () => {
    const rig = new Rig();
    await rig.settle();
    const listening = rig.listening.listen([topic(0, 'x')]);
    await rig.settle();
    await listening;
    const redis = rig.connection('a');
    for (let times = 0; times < 3; times++) {
      redis.lose();
      redis.become();
      await turn();
    }
    await rig.settle();
    expect(rig.gaps).toBe(1);
  });

  it('that is refused is ordered again when the link tries whether it works', async () => {
    const rig = new Rig();
    await rig.settle();
    const listening = rig.listening.listen([topic(0, 'x')]);
    await turn();
    rig.connection('a').refuse();
    await turn();
    expect([rig.lost, rig.listening.isWhole]).toEqual([1, false]);
    await rig.settle();
    await listening;
    expect(rig.subscribedAt('a')).toEqual(['0:x']);
  });

  it('moves with its partition, with a gap', async () => {
    const rig = new Rig();
    await rig.settle();
    const listening = rig.listening.listen([topic(0, 'x'), topic(1, 'y')]);
    await rig.settle();
    await listening;
    rig.places[1] = 'a';
    rig.listening.follow();
    await rig.settle();
    expect(rig.subscribedAt('a')).toEqual(['0:x', '1:y']);
    expect(rig.gaps).toBe(1);
    rig.connection('a').emit('smessage', '1:y', 'hello');
    expect(rig.heard).toEqual(['hello']);
  });

  it('after any history is listened to what was asked for last, and every listener was confirmed', async () => {
    const name = fc.constantFrom('w', 'x', 'y', 'z');
    const partition = fc.constantFrom(0, 1);
    const node = fc.constantFrom('a', 'b');
    const step = fc.oneof(
      fc.record({ kind: fc.constant('listen' as const), partition, name }),
      fc.record({ kind: fc.constant('unlisten' as const), partition, name }),
      fc.record({ kind: fc.constantFrom('ready', 'lose', 'answer', 'refuse', 'move'), node }),
      fc.record({ kind: fc.constant('turn' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const rig = new Rig();
        const wanted = new Set<string>();
        let waiting = 0;
        for (const it of steps) {
          if (it.kind === 'turn') await turn();
          else if ('name' in it) {
            const one = topic(it.partition, it.name);
            if (it.kind === 'unlisten') {
              rig.listening.unlisten([one]);
              wanted.delete(`${it.partition}:${it.name}`);
            } else {
              waiting++;
              void rig.listening.listen([one]).then(() => waiting--);
              wanted.add(`${it.partition}:${it.name}`);
            }
          } else if ('node' in it) {
            const redis = rig.connections.get(it.node);
            if (it.kind === 'ready') redis?.become();
            if (it.kind === 'lose') redis?.lose();
            if (it.kind === 'answer') redis?.answer(1);
            if (it.kind === 'refuse') redis?.refuse();
            if (it.kind === 'move') {
              rig.places[1] = it.node;
              rig.listening.follow();
            }
          }
        }
        await rig.settle();
        expect(waiting).toBe(0);
        expect(rig.listening.isWhole).toBe(true);
        expect(rig.listening.topics).toBe(wanted.size);
        for (const channel of wanted) {
          const place = rig.places[Number(channel.split(':')[0])];
          expect(rig.subscribedAt(place ?? '')).toContain(channel);
        }
        if (rig.places[1] === 'b') {
          const all = [...rig.subscribedAt('a'), ...rig.subscribedAt('b')];
          expect(all.filter((channel) => !channel.startsWith('1'))).toEqual(
            [...wanted].filter((channel) => channel.startsWith('0')).sort(),
          );
        }
      }),
      { numRuns: 300 },
    );
  });
});
