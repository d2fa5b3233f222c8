import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import type { LaneContent, NewBatch, Outbox } from '../../lib/outbox/outbox.ts';
import { defineStage, type SlotStage } from '../../lib/stages/define-stage.ts';
import { DROP } from '../../lib/stages/stage.ts';
import type { WebhookPayload, WebhookReady } from '../../lib/webhooks/turn.ts';
import { webhook } from '../../pipelines/webhook.ts';
import { createLateStores, seededRandom } from '../support/late-stores.ts';
import { storyOf } from './running-node.ts';
import { endpoint, runWebhooks, status } from './running-webhooks.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

const slot = 'webhook:ready';
/** A stage as it comes from a file that was not type-checked. */
const define: (definition: object) => SlotStage = defineStage;
const numbers = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, i) => String(from + i)).join(' ');

test('the story of a lane’s turn is this one', () => {
  expect(storyOf(webhook)).toEqual(['read', 'choose', '[webhook:ready]', 'record']);
});

describe('a batch', () => {
  test('is sent when its window is over', async () => {
    const { tell, takenBy, pass } = runWebhooks();
    tell('1 2 3');
    await pass(249);
    const before = takenBy('a');
    await pass(5);
    expect([before, takenBy('a')]).toEqual([[], ['1 2 3']]);
  });

  test('is sent when it is full, and the rest when its window is over', async () => {
    const { tell, takenBy, pass } = runWebhooks({ webhooks: { batchSize: 3 } });
    tell(numbers(1, 7));
    await pass(10);
    const before = [...takenBy('a')];
    await pass(250);
    expect([before, takenBy('a')]).toEqual([
      ['1 2 3', '4 5 6'],
      ['1 2 3', '4 5 6', '7'],
    ]);
  });

  test('is one event when the endpoint wants no batches', async () => {
    const { tell, takenBy, pass } = runWebhooks({ endpoints: [[endpoint('a', { batching: false })]] });
    tell('1 2');
    await pass(10);
    expect(takenBy('a')).toEqual(['1', '2']);
  });

  test('reads little at a time of a long backlog for an endpoint that wants no batches', async () => {
    const limits: number[] = [];
    const { tell, takenBy, pass } = runWebhooks({
      endpoints: [[endpoint('a', { batching: false })]],
      around: (outbox) =>
        spied(outbox, 'read', (_lane, limit: number) => {
          limits.push(limit);
        }),
    });
    tell('1 2 3');
    await pass(10);
    expect([takenBy('a'), Math.max(...limits)]).toEqual([['1', '2', '3'], 1]);
  });

  test('is read with no more than it holds, and further only where the endpoint takes less of it', async () => {
    const limits: number[] = [];
    const { outbox, tell, takenBy, pass } = runWebhooks({
      webhooks: { batchSize: 3 },
      around: (made) =>
        spied(made, 'read', (_lane, limit: number) => {
          limits.push(limit);
        }),
    });
    tell('1 2 3');
    await pass(10);
    expect([takenBy('a'), limits.splice(0)]).toEqual([['1 2 3'], [3, 3]]);
    const miss = { kind: 'cache_miss' as const, appId: 'app-1', channel: 'private-room' };
    void outbox.append(Array.from({ length: 40 }, () => miss));
    tell('4 5 6');
    await pass(10);
    expect([takenBy('a'), limits]).toEqual([
      ['1 2 3', '4 5 6'],
      [3, 15, 75, 3],
    ]);
  });

  test('waits no longer than its window when the clock is set back', async () => {
    const { tell, takenBy, pass } = runWebhooks();
    tell('1');
    await pass(100);
    jest.setSystemTime(Date.now() - 3_600_000);
    await pass(300);
    expect(takenBy('a')).toEqual(['1']);
  });

  test('never holds events of two apps', async () => {
    const { tell, takenBy, pass } = runWebhooks();
    tell('mine');
    tell('theirs', 'private-room', 'app-2');
    await pass(300);
    expect([takenBy('a'), takenBy('b')]).toEqual([['mine'], ['theirs']]);
  });

  test('waits no longer than its window also when the lane was looked at before', async () => {
    const { tell, takenBy, pass } = runWebhooks({ webhooks: { batchSize: 3 } });
    tell('1 2 3 4');
    await pass(100);
    tell('5');
    await pass(160);
    expect(takenBy('a')).toEqual(['1 2 3', '4 5']);
  });

  test('is recorded with the bytes that are sent, before they are', async () => {
    const seen: string[] = [];
    const { tell, pass } = runWebhooks({
      around: (outbox) =>
        spied(outbox, 'record', (_lane, _token, _upTo, batch: NewBatch) => {
          seen.push(`recorded ${batch.body.toString()}`);
        }),
      answer: ({ body }) => {
        seen.push(`sent ${body}`);
        return status(200);
      },
    });
    tell('1');
    await pass(300);
    expect(seen.map((line) => line.split(' ')[0])).toEqual(['recorded', 'sent']);
    expect(seen[0]?.slice('recorded '.length)).toBe(seen[1]?.slice('sent '.length));
  });

  test('names in prev_seq the event the endpoint was sent before', async () => {
    const events = ['channel_occupied', 'member_added', 'member_removed', 'channel_vacated'];
    const { parts, received, pass } = runWebhooks({
      endpoints: [[endpoint('a', { events, batching: false })]],
      webhooks: { graceMs: 0 },
    });
    const join = {
      kind: 'join' as const,
      appId: 'app-1',
      channel: 'presence-x',
      socketId: '1.1',
      counted: false,
    };
    const member = { userId: 'ada', userInfoJson: undefined };
    void parts.membership.apply([{ ...join, incarnation: 1, member, maxMembers: 0 }]);
    await pass(50);
    const payloads = received.flatMap(
      ({ body }) =>
        (JSON.parse(body) as { events: { name: string; seq: number; prev_seq: number }[] }).events,
    );
    expect(payloads.map(({ name, seq, prev_seq }) => [name, seq, prev_seq])).toEqual([
      ['channel_occupied', 1, 0],
      ['member_added', 2, 1],
    ]);
  });

  test('that tells of events left out is sent to every endpoint, and said', async () => {
    const range = {
      kind: 'spillway_coalesced' as const,
      id: 'c-1',
      appId: 'app-1',
      channel: '*',
      atMs: 0,
      count: 7,
    };
    const { tell, received, log, pass } = runWebhooks({
      around: (outbox) =>
        changed(outbox, 'read', (content: LaneContent) => ({
          ...content,
          events: content.events.map(({ position }) => ({ position, event: range })),
        })),
    });
    tell('1');
    await pass(300);
    expect([received[0]?.events, log.all('webhook.coalesced')]).toMatchObject([
      ['spillway_coalesced'],
      [{ appId: 'app-1', endpointId: 'a', events: 7 }],
    ]);
  });
});

describe('filters computed, then the unfiltered body posted', () => {
  test('is not what happens: each endpoint’s body holds what that endpoint takes', async () => {
    const { tell, received, outbox, pass } = runWebhooks({
      endpoints: [
        [
          endpoint('rooms', { channels: { startsWith: 'private-room' } }),
          endpoint('others', { channels: { startsWith: 'private-other' } }),
          endpoint('misses', { events: ['cache_miss'] }),
        ],
      ],
    });
    tell('room-secret', 'private-room-1');
    tell('other-secret', 'private-other-1');
    void outbox.append([{ kind: 'cache_miss', appId: 'app-1', channel: 'cache-x' }]);
    await pass(300);
    const bodies = new Map(received.map(({ host, body }) => [host.split('.')[0], body]));
    expect([...bodies.keys()].sort()).toEqual(['misses', 'others', 'rooms']);
    expect(bodies.get('rooms')).toMatch(/room-secret/);
    expect(bodies.get('rooms')).not.toMatch(/other-secret|cache_miss/);
    expect(bodies.get('others')).not.toMatch(/room-secret|cache_miss/);
    expect(bodies.get('misses')).not.toMatch(/secret/);
  });

  test('nothing is sent of what nobody takes, and the lane goes on behind it', async () => {
    const { tell, received, pass, outbox, statusOf } = runWebhooks({
      endpoints: [[endpoint('a', { channels: { startsWith: 'private-no' } })]],
    });
    tell(numbers(1, 2_000));
    await pass(1_000);
    expect([received, statusOf('a')?.inFlight, await outbox.backlogs()]).toMatchObject([
      [],
      0,
      [{ events: 0 }, {}].slice(0, 1),
    ]);
  });

  test('what it takes does not wait for more while there is more to read', async () => {
    const { tell, outbox, takenBy, pass } = runWebhooks({
      endpoints: [[endpoint('a'), endpoint('misses', { events: ['cache_miss'] })]],
      webhooks: { batchSize: 2 },
    });
    tell('wanted');
    const miss = { kind: 'cache_miss' as const, appId: 'app-1', channel: 'private-room' };
    void outbox.append(Array.from({ length: 60 }, () => miss));
    await pass(10);
    expect(takenBy('a')).toEqual(['wanted']);
  });

  test('what it takes is found behind more than can be read at once', async () => {
    const { tell, takenBy, pass } = runWebhooks({
      endpoints: [[endpoint('a', { channels: { startsWith: 'private-1' } })]],
      webhooks: { batchSize: 2 },
    });
    // One channel for each: some are on the partition of private-1.
    for (let i = 0; i < 500; i++) tell('noise noise', `private-noise-${i}`);
    tell('wanted', 'private-1');
    await pass(300);
    expect(takenBy('a')).toEqual(['wanted']);
  });
});

describe('a lane that has changed since it was read', () => {
  test('is read again', async () => {
    let refusals = 3;
    const { tell, takenBy, pass } = runWebhooks({
      around: (outbox) =>
        changed(
          outbox,
          'record',
          (isRecorded: boolean) => isRecorded,
          () => (refusals-- > 0 ? false : undefined),
        ),
    });
    tell('1 2');
    await pass(300);
    expect([refusals < 0, takenBy('a')]).toEqual([true, ['1 2']]);
  });
});

describe('a stage in webhook:ready', () => {
  const map = (change: (ready: WebhookReady) => unknown) => define({ name: 'spec', slot, map: change });
  const each = (change: (payload: WebhookPayload) => object) =>
    map((ready) => ({ ...ready, events: ready.events.map(change) }));

  test('changes what is sent', async () => {
    const { tell, takenBy, pass } = runWebhooks({
      stages: [each((payload) => ({ ...payload, data: `${String(payload['data'])}!`, tenant: 'x' }))],
    });
    tell('1 2');
    await pass(300);
    expect(takenBy('a')).toEqual(['1! 2!']);
  });

  test('runs once for a batch, however often that is sent', async () => {
    let answers = 0;
    const look = jest.fn();
    const { tell, received, pass } = runWebhooks({
      stages: [define({ name: 'look', slot, tap: look })],
      answer: () => status(++answers < 4 ? 503 : 200),
    });
    tell('1');
    await pass(60_000);
    expect([received.length, look.mock.calls.length]).toEqual([4, 1]);
  });

  test('sees the batch, and nothing of the endpoint but its id', async () => {
    const seen: WebhookReady[] = [];
    const { tell, pass } = runWebhooks({
      stages: [define({ name: 'look', slot, tap: (r: WebhookReady) => seen.push(r) })],
    });
    tell('1');
    await pass(300);
    expect(Reflect.ownKeys(seen[0]!)).toEqual(['appId', 'endpointId', 'events']);
    expect(seen[0]).toMatchObject({ appId: 'app-1', endpointId: 'a', events: [{ data: '1' }] });
  });

  test('may take its time', async () => {
    const { tell, takenBy, pass } = runWebhooks({
      stages: [
        define({
          name: 'late',
          slot,
          map: (ready: WebhookReady) => new Promise((resolve) => setTimeout(() => resolve(ready), 100)),
        }),
      ],
    });
    tell('1');
    await pass(300);
    const before = takenBy('a');
    await pass(100);
    expect([before, takenBy('a')]).toEqual([[], ['1']]);
  });

  test('that only looks on and fails holds up nothing', async () => {
    const fail = (): never => {
      throw new Error('broken');
    };
    const { tell, takenBy, pass } = runWebhooks({ stages: [define({ name: 'fail', slot, tap: fail })] });
    tell('1');
    await pass(300);
    expect(takenBy('a')).toEqual(['1']);
  });

  test('that looks on cannot change the batch', async () => {
    const meddle = (ready: { events: Record<string, unknown>[] }): void => {
      ready.events[0]!['id'] = 'mine';
    };
    const { tell, received, stats, pass } = runWebhooks({
      stages: [define({ name: 'meddle', slot, tap: meddle })],
    });
    tell('1');
    await pass(300);
    expect([stats('meddle').failed, received[0]?.body]).toEqual([1, expect.not.stringContaining('mine')]);
  });

  test.each([
    [
      'changes the id of an event',
      each((payload) => ({ ...payload, id: 'mine' })),
      'changed id of the event at place 1',
    ],
    ['changes the name of an event', each((payload) => ({ ...payload, name: 'x' })), 'changed name of'],
    [
      'changes the channel of an event',
      each((payload) => ({ ...payload, channel: 'x' })),
      'changed channel of',
    ],
    ['gives an event a seq', each((payload) => ({ ...payload, seq: 9 })), 'changed seq of'],
    [
      'leaves an event out',
      map((ready) => ({ ...ready, events: ready.events.slice(1) })),
      'made 1 events of 2',
    ],
    [
      'adds an event',
      map((ready) => ({ ...ready, events: [...ready.events, ...ready.events] })),
      'made 4 events of 2',
    ],
    ['changes the order', map((ready) => ({ ...ready, events: ready.events.toReversed() })), 'changed id of'],
    [
      'makes an event nothing',
      map((ready) => ({ ...ready, events: ready.events.map(() => null) })),
      'no event at place 1',
    ],
    ['drops the batch', map(() => DROP), 'answered no batch'],
    ['answers nothing', map(() => undefined), 'answered no batch'],
    ['answers a promise of nothing', map(() => Promise.resolve(null)), 'answered no batch'],
  ])('that %s is told so, and the batch is tried again later', async (_, stage, mistake) => {
    // The second attempt is later than what is looked at here.
    jest.spyOn(Math, 'random').mockReturnValue(0.9);
    const { tell, received, log, pass, statusOf } = runWebhooks({ stages: [stage] });
    tell('1 2');
    await pass(300);
    const [failed] = log.all('stage.failed');
    expect(failed).toMatchObject({ stage: 'spec', pipeline: 'webhook', code: 'webhook.changed' });
    expect((failed?.err as Error).message).toContain(mistake);
    expect([received, statusOf('a')]).toMatchObject([[], { inFlight: 0, waiting: 1 }]);
  });

  test('that fails for a while delays the batch and loses nothing', async () => {
    let failures = 3;
    const { tell, takenBy, pass } = runWebhooks({
      stages: [
        map((ready) => {
          if (failures-- > 0) throw new Error('broken');
          return ready;
        }),
      ],
    });
    tell('1 2');
    await pass(30_000);
    expect(takenBy('a')).toEqual(['1 2']);
  });
});

describe('a lane that is another node’s by the time of its request', () => {
  test('is not sent for, and sent for when it is this node’s again', async () => {
    let isHeld = false;
    const { tell, received, pass, log } = runWebhooks({
      around: (outbox) =>
        new Proxy(outbox, {
          get: (target, property) =>
            property === 'begin' ? () => isHeld : bound(Reflect.get(target, property, target), target),
        }),
    });
    tell('hello');
    await pass(2_000);
    expect([received.length, log.all('webhook.withheld').length > 0]).toEqual([0, true]);
    isHeld = true;
    await pass(10_000);
    expect(received.map(({ events }) => events)).toEqual([['hello']]);
  });

  function bound(member: unknown, target: object): unknown {
    return typeof member === 'function' ? (member.bind(target) as unknown) : member;
  }
});

describe('random failures at every stage', () => {
  /** Throws, rejects, answers late, or does as it should. */
  function faulty<T extends object>(target: T, random: () => number, isOn: () => boolean): T {
    const pick = (): number => (isOn() ? random() : 1);
    return new Proxy(target, {
      get(object, property) {
        const method: unknown = Reflect.get(object, property, object);
        if (typeof method !== 'function' || ['open', 'append', 'begin'].includes(String(property)))
          return method;
        return (...args: unknown[]): unknown => {
          const chance = pick();
          if (chance < 0.1) throw new Error(`${String(property)} threw`);
          if (chance < 0.2) return Promise.reject(new Error(`${String(property)} was rejected`));
          const answer: unknown = Reflect.apply(method, object, args);
          if (chance < 0.3)
            return Promise.resolve(answer).then(() => Promise.reject(new Error('its answer was lost')));
          if (chance < 0.5) return new Promise((resolve) => setTimeout(() => resolve(answer), random() * 50));
          return answer;
        };
      },
    });
  }

  async function survive(seed: number, texts: readonly string[]): Promise<void> {
    let isOn = true;
    const random = seededRandom(seed);
    const never = new Promise<never>(() => undefined);
    const stage = define({
      name: 'faulty',
      slot,
      map: (ready: WebhookReady): unknown => {
        const chance = isOn ? random() : 1;
        if (chance < 0.1) throw new Error('broken');
        if (chance < 0.15) return DROP;
        return chance < 0.2 ? never : ready;
      },
    });
    const { tell, received, takenBy, pass, parts } = runWebhooks({
      webhooks: { concurrency: 2, batchSize: 2 },
      stages: [stage],
      around: (outbox) => faulty(outbox, random, () => isOn),
      answer: () => {
        const chance = isOn ? random() : 1;
        if (chance < 0.1) throw new Error('post broke its promise');
        if (chance < 0.15) return never;
        return status(chance < 0.3 ? 503 : chance < 0.4 ? 429 : 200);
      },
    });
    for (const [index, text] of texts.entries()) {
      tell(text, `private-${index % 5}`);
      await pass(random() * 3_000);
    }
    await pass(60_000);
    isOn = false;
    // Stages that were tripped, breakers, backoffs and turns that nobody ended are over after this long.
    await pass(400_000);
    expect(parts.schedule.status()).toMatchObject([
      { inFlight: 0, due: 0, waiting: 0, state: 'closed' },
      { inFlight: 0, due: 0, waiting: 0 },
    ]);
    expect(new Set(takenBy('a').flatMap((events) => events.split(' ')))).toEqual(new Set(texts));
    const first = new Set(
      received.flatMap(({ body }) =>
        (JSON.parse(body) as { events: { channel: string; data: string }[] }).events.map(
          ({ channel, data }) => `${channel} ${data}`,
        ),
      ),
    );
    for (const channel of [0, 1, 2, 3, 4].map((n) => `private-${n} `)) {
      const told = [...first]
        .filter((line) => line.startsWith(channel))
        .map((line) => Number(line.split(' ')[1]));
      expect(told).toEqual([...told].sort((x, y) => x - y));
    }
    const bytes = new Map<string, Set<string>>();
    for (const { headers, body } of received) {
      const id = headers['webhook-id']!;
      bytes.set(id, (bytes.get(id) ?? new Set()).add(body));
    }
    for (const bodies of bytes.values()) expect(bodies.size).toBe(1);
    parts.schedule.close();
    await parts.stores.close();
  }

  test('leave every slot free, no lane behind and no event untold', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 30 }), (seed, count) =>
        survive(seed, numbers(1, count).split(' ')),
      ),
      { numRuns: 25 },
    );
  }, 60_000);
});

describe('over stores that answer late', () => {
  test('everything is told, in order for each channel', async () => {
    const { tell, takenBy, pass } = runWebhooks({
      createStores: createLateStores(7),
      webhooks: { batchSize: 3 },
    });
    await pass(50);
    for (let i = 1; i <= 40; i++) {
      tell(String(i));
      await pass(20);
    }
    await pass(2_000);
    expect(takenBy('a').join(' ')).toBe(numbers(1, 40));
  });
});

/** An outbox whose method is watched. */
function spied(outbox: Outbox, name: keyof Outbox, watch: (...args: never[]) => void): Outbox {
  return new Proxy(outbox, {
    get(target, property) {
      const method: unknown = Reflect.get(target, property, target);
      if (property !== name || typeof method !== 'function') return bound(method, target);
      return (...args: never[]): unknown => {
        watch(...args);
        return Reflect.apply(method, target, args);
      };
    },
  });
}

/** An outbox one of whose methods answers something else; `instead` may answer before it is asked. */
function changed<T>(
  outbox: Outbox,
  name: keyof Outbox,
  change: (answer: T) => T,
  instead: () => T | undefined = () => undefined,
): Outbox {
  return new Proxy(outbox, {
    get(target, property) {
      const method: unknown = Reflect.get(target, property, target);
      if (property !== name || typeof method !== 'function') return bound(method, target);
      return (...args: unknown[]): unknown => instead() ?? change(Reflect.apply(method, target, args) as T);
    },
  });
}

function bound(method: unknown, target: object): unknown {
  return typeof method === 'function'
    ? (...args: unknown[]): unknown => Reflect.apply(method, target, args)
    : method;
}
