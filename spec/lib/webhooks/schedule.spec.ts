import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { AppRegistry } from '../../../lib/apps/app-registry.ts';
import { loadConfig } from '../../../config/load.ts';
import { systemClock } from '../../../lib/flow/clock.ts';
import { Telemetry } from '../../../lib/telemetry/telemetry.ts';
import { WebhookEndpoints } from '../../../lib/webhooks/endpoints.ts';
import type { PostResult } from '../../../lib/webhooks/post.ts';
import { WebhookSchedule } from '../../../lib/webhooks/schedule.ts';
import type { DueBatch, LaneTurn } from '../../../lib/webhooks/turn.ts';
import { EventLog } from '../../support/event-log.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

/** Turns that a timer makes due begin a millisecond later: that is how fake timers treat immediates. */
const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);
const settings = { concurrency: 2, batchSize: 20, batchWindowMs: 250 };
const ok: PostResult = { kind: 'answered', status: 200 };
const broken: PostResult = { kind: 'answered', status: 503 };
const recorded = {
  id: 'msg_1',
  body: Buffer.from('{}'),
  events: [],
  createdAtMs: 0,
  failures: 0,
  lastFailure: undefined,
  refusedSinceMs: undefined,
  isSplit: false,
};

interface Options {
  readonly settings?: Partial<typeof settings>;
  readonly batching?: boolean;
  readonly random?: () => number;
}

/** A schedule for the endpoints a (of app-1) and b (of app-2), whose turns the spec ends. */
function run(options: Options = {}) {
  const app = (id: string, endpoint: string) => ({
    id,
    key: `key-${id}`,
    secret: `secret-${id}`,
    webhooks: [
      {
        id: endpoint,
        url: `http://user:word@${endpoint}.test/hook`,
        events: ['client_event'],
        batching: options.batching ?? true,
      },
    ],
  });
  const { config } = loadConfig({ env: {}, overrides: { apps: [app('app-1', 'a'), app('app-2', 'b')] } });
  const telemetry = new Telemetry({ level: 'debug' });
  const log = new EventLog();
  void telemetry.events$.forEach((event) => log.add(event));
  const schedule = new WebhookSchedule({
    endpoints: new WebhookEndpoints(new AppRegistry(config.apps).all()).all(),
    settings: { ...settings, ...options.settings },
    clock: systemClock,
    telemetry,
    random: options.random ?? (() => 1),
  });
  const turns: LaneTurn[] = [];
  const due: DueBatch[] = [];
  let isComplete = false;
  const read = () =>
    schedule.readings$.subscribe({ next: (turn) => turns.push(turn), complete: () => (isComplete = true) });
  const reader = read();
  const courier = schedule.deliveries$.subscribe((batch) => due.push(batch));
  const wake = (partition: number, pending = 20, endpointId = 'a'): void => {
    const appId = endpointId === 'a' ? 'app-1' : 'app-2';
    schedule.wake({ lane: { appId, endpointId, partition }, pending });
  };
  /** The lane has come to this node. */
  const take = (partition: number): void => {
    schedule.wake({ lane: { appId: 'app-1', endpointId: 'a', partition }, pending: 20, isTaken: true });
  };
  /** The turns that have begun since this was last asked, as `endpoint partition`. */
  const begun = (): readonly string[] =>
    turns.splice(0).map(({ lane }) => `${lane.endpointId} ${lane.partition}`);
  const turnOf = async (partition: number, endpointId = 'a'): Promise<LaneTurn> => {
    wake(partition, 20, endpointId);
    await pass(0);
    return turns.pop()!;
  };
  /** One whole turn: the endpoint answers this. */
  const attempt = async (turn: LaneTurn, result: PostResult): Promise<void> => {
    schedule.deliver(turn, recorded);
    const batch = due.pop();
    if (batch === undefined) return;
    await schedule.attempt(batch, () => Promise.resolve(result));
    if (result === ok) schedule.delivered(batch);
    else schedule.postpone(batch, 'not taken');
    await pass(0);
  };
  const statusOf = (endpointId: string) =>
    schedule.status().find((status) => status.endpointId === endpointId)!;
  return {
    schedule,
    log,
    reader,
    courier,
    read,
    turns,
    due,
    wake,
    take,
    begun,
    turnOf,
    attempt,
    statusOf,
    get isComplete() {
      return isComplete;
    },
  };
}

describe('a lane with work has its turn', () => {
  test('after the window of its batch', async () => {
    const { wake, begun } = run();
    wake(1, 3);
    await pass(249);
    const before = begun();
    await pass(2);
    expect([before, begun()]).toEqual([[], ['a 1']]);
  });

  test('at once when its batch is full', async () => {
    const { wake, begun } = run();
    wake(1, 20);
    await pass(0);
    expect(begun()).toEqual(['a 1']);
  });

  test('as soon as its batch becomes full', async () => {
    const { wake, begun } = run();
    wake(1, 3);
    await pass(100);
    wake(1, 20);
    await pass(0);
    expect(begun()).toEqual(['a 1']);
  });

  test('at once when the endpoint wants every event in a request of its own', async () => {
    const { wake, begun } = run({ batching: false });
    wake(1, 1);
    await pass(0);
    expect(begun()).toEqual(['a 1']);
  });

  test('never in the step that made the work', () => {
    const { wake, begun } = run();
    wake(1, 20);
    expect(begun()).toEqual([]);
  });

  test('once, however often it is told of work', async () => {
    const { wake, begun } = run();
    for (let i = 0; i < 5; i++) wake(1, 20 + i);
    await pass(1_000);
    expect(begun()).toEqual(['a 1']);
  });

  test('again after it, when there was more work meanwhile', async () => {
    const { schedule, turnOf, wake, begun } = run();
    const turn = await turnOf(1);
    wake(1, 1);
    schedule.idle(turn);
    await pass(0);
    expect(begun()).toEqual(['a 1']);
  });

  test('in the order in which lanes became due', async () => {
    const { schedule, turnOf, wake, begun } = run({ settings: { concurrency: 1 } });
    const turn = await turnOf(9);
    for (const partition of [3, 1, 2]) wake(partition);
    schedule.idle(turn);
    await pass(0);
    expect(begun()).toEqual(['a 3']);
  });

  test('two at once, and the rest after whatever else the process has to do', async () => {
    const { wake, begun } = run({ settings: { concurrency: 50 } });
    for (let partition = 0; partition < 20; partition++) wake(partition);
    await jest.advanceTimersToNextTimerAsync();
    const first = begun().length;
    await pass(10);
    expect([first, begun().length]).toEqual([2, 18]);
  });

  test('not while nobody reads, but then', async () => {
    const { wake, begun, reader, read } = run();
    reader.unsubscribe();
    wake(1);
    await pass(1_000);
    const before = begun();
    read();
    await pass(0);
    expect([before, begun()]).toEqual([[], ['a 1']]);
  });
});

describe('a lane that gathers', () => {
  test('looks again at the time it was given', async () => {
    const { schedule, turnOf, begun } = run();
    schedule.gather(await turnOf(1), Date.now() + 100, 40);
    await pass(99);
    const before = begun();
    await pass(2);
    expect([before, begun()]).toEqual([[], ['a 1']]);
  });

  test('looks again as soon as enough is there', async () => {
    const { schedule, turnOf, wake, begun } = run();
    schedule.gather(await turnOf(1), Date.now() + 100, 40);
    wake(1, 39);
    await pass(0);
    const before = begun();
    wake(1, 40);
    await pass(0);
    expect([before, begun()]).toEqual([[], ['a 1']]);
  });

  test('does not look again because of what it had been told before it looked', async () => {
    const { schedule, turnOf, wake, turns, begun } = run({ settings: { concurrency: 1 } });
    const other = await turnOf(9);
    wake(1, 500);
    schedule.idle(other);
    await pass(0);
    schedule.gather(turns.pop()!, Date.now() + 100, 22);
    await pass(50);
    expect(begun()).toEqual([]);
  });
});

describe('the slots of an endpoint', () => {
  test('are as many as webhooks.concurrency says', async () => {
    const { wake, begun } = run();
    for (let partition = 0; partition < 9; partition++) wake(partition);
    await pass(0);
    expect(begun()).toEqual(['a 0', 'a 1']);
  });

  test.each(['idle', 'again', 'postpone', 'pause'] as const)('are free again after %s', async (end) => {
    const { schedule, turnOf, statusOf } = run();
    const turn = await turnOf(1);
    const before = statusOf('a').inFlight;
    if (end === 'postpone' || end === 'pause') schedule[end](turn, 'because');
    else schedule[end](turn);
    expect([before, statusOf('a').inFlight]).toEqual([1, 0]);
  });

  test('are given back once, however often a turn is ended', async () => {
    const { schedule, turnOf, statusOf } = run();
    const [first] = [await turnOf(1), await turnOf(2)];
    schedule.idle(first);
    schedule.postpone(first, 'late');
    schedule.again(first);
    expect(statusOf('a')).toMatchObject({ inFlight: 1, waiting: 0, due: 0 });
  });

  test('are not taken from a later turn by the end of an earlier one', async () => {
    const { schedule, turnOf, statusOf } = run();
    const first = await turnOf(1);
    schedule.idle(first);
    await turnOf(1);
    schedule.postpone(first, 'late');
    expect(statusOf('a')).toMatchObject({ inFlight: 1, waiting: 0 });
  });

  test('are taken back from a turn that nobody ends', async () => {
    const { turnOf, statusOf } = run();
    await turnOf(1);
    await pass(90_000);
    expect(statusOf('a')).toMatchObject({ inFlight: 0, waiting: 1 });
  });
});

describe('20 delivery slots shared by all tenants and held through backoff', () => {
  test('are not shared: another app’s lane has its turn while every slot of the first is taken', async () => {
    const { wake, begun } = run();
    for (let partition = 0; partition < 9; partition++) wake(partition);
    wake(1, 20, 'b');
    await pass(0);
    expect(begun()).toContain('b 1');
  });

  test('are not held through backoff: other lanes have their turns', async () => {
    const { schedule, wake, turns, begun } = run();
    for (let partition = 0; partition < 4; partition++) wake(partition);
    await pass(0);
    for (const turn of turns.splice(0)) schedule.postpone(turn, 'no answer');
    await pass(1);
    expect(begun()).toEqual(['a 2', 'a 3']);
  });
});

describe('after a failure a lane', () => {
  test('waits twice as long each time, up to 30 s', async () => {
    const { schedule, turnOf, turns } = run();
    let turn = await turnOf(1);
    const waits: number[] = [];
    for (let i = 0; i < 7; i++) {
      const sinceMs = Date.now();
      schedule.postpone(turn, 'no answer');
      while (turns.length === 0) await pass(250);
      waits.push(Math.floor((Date.now() - sinceMs) / 1_000) * 1_000);
      turn = turns.pop()!;
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });

  test('waits 5 s at most when the endpoint was well a moment ago', async () => {
    const { schedule, turnOf, turns, attempt } = run();
    await attempt(await turnOf(2), ok);
    turns.splice(0);
    let turn = await turnOf(1);
    for (let i = 0; i < 6; i++) {
      schedule.postpone(turn, 'no answer');
      await pass(5_001);
      turn = turns.pop()!;
    }
    expect(turn.lane.partition).toBe(1);
  });

  test('waits at least as long as the endpoint asked for', async () => {
    const { schedule, turnOf, begun } = run();
    schedule.postpone(await turnOf(1), '429', 10_000);
    await pass(9_999);
    const before = begun();
    await pass(2);
    expect([before, begun()]).toEqual([[], ['a 1']]);
  });

  test('has its turn at once when another lane’s success shows that the endpoint is back', async () => {
    const { turnOf, attempt, begun } = run();
    const [one, two] = [await turnOf(1), await turnOf(2)];
    await attempt(one, broken);
    await attempt(two, ok);
    expect(begun()).toContain('a 1');
  });
});

describe('a lane that is held, for the outbox could not be asked,', () => {
  test('goes on at once when there is work again', async () => {
    const { schedule, turnOf, wake, begun } = run();
    schedule.hold(await turnOf(1));
    await pass(10);
    const before = begun();
    wake(1);
    await pass(0);
    expect([before, begun()]).toEqual([[], ['a 1']]);
  });

  test('goes on at once when there was work while it had its turn', async () => {
    const { schedule, turnOf, wake, begun } = run();
    const turn = await turnOf(1);
    wake(1);
    schedule.hold(turn);
    await pass(0);
    expect(begun()).toEqual(['a 1']);
  });

  test('goes on within a second when it hears of nothing, however often it is held', async () => {
    const { schedule, turnOf, turns } = run();
    schedule.hold(await turnOf(1));
    for (let held = 0; held < 6; held++) {
      await pass(1_001);
      schedule.hold(turns.pop()!);
    }
    await pass(1_001);
    expect(turns).toHaveLength(1);
  });

  test('goes on at once when it comes to this node', async () => {
    const { schedule, turnOf, take, begun } = run();
    schedule.hold(await turnOf(1));
    take(1);
    await pass(0);
    expect(begun()).toEqual(['a 1']);
  });

  test('has no failure of its endpoint to tell of', async () => {
    const { schedule, turnOf, statusOf } = run();
    schedule.hold(await turnOf(1));
    expect(statusOf('a')).toMatchObject({ inFlight: 0, waiting: 1, lastFailure: undefined });
  });

  test('leaves the last failure of its endpoint and its backoff as they were', async () => {
    const { schedule, turnOf, turns, begun, statusOf } = run();
    schedule.postpone(await turnOf(1), 'no answer');
    for (let held = 0; held < 3; held++) {
      await pass(1_001);
      schedule.hold(turns.pop()!);
    }
    await pass(1_001);
    schedule.postpone(turns.pop()!, 'still no answer');
    await pass(1_990);
    const before = begun();
    await pass(11);
    expect([before, begun(), statusOf('a').lastFailure]).toEqual([[], ['a 1'], 'still no answer']);
  });
});

test('a lane that waits for its endpoint is not hurried by new work', async () => {
  const { schedule, turnOf, wake, begun } = run();
  schedule.postpone(await turnOf(1), 'no answer');
  wake(1);
  await pass(900);
  expect(begun()).toEqual([]);
});

test('a lane that waits for its endpoint has its turn when it comes to this node, and waits as for the first time then', async () => {
  const { schedule, turnOf, turns, take, begun } = run();
  schedule.postpone(await turnOf(1), 'no answer');
  await pass(1_001);
  schedule.postpone(turns.pop()!, 'no answer');
  take(1);
  await pass(0);
  schedule.postpone(turns.pop()!, 'no answer');
  await pass(1_001);
  expect(begun()).toEqual(['a 1']);
});

test('a lane whose endpoint asked for time waits for it also when it comes to this node', async () => {
  const { schedule, turnOf, take, begun } = run();
  schedule.postpone(await turnOf(1), '429', 10_000);
  take(1);
  await pass(9_990);
  expect(begun()).toEqual([]);
});

test('a lane whose endpoint asked for time is not hurried by the success of another', async () => {
  const { schedule, turnOf, attempt, begun } = run();
  schedule.postpone(await turnOf(3), '429', 10_000);
  const [one, two] = [await turnOf(1), await turnOf(2)];
  await attempt(one, broken);
  await attempt(two, ok);
  expect(begun()).not.toContain('a 3');
});

test('a turn whose delivery nobody takes up is postponed', async () => {
  const { schedule, turnOf, courier, statusOf } = run();
  courier.unsubscribe();
  schedule.deliver(await turnOf(1), recorded);
  expect(statusOf('a')).toMatchObject({ inFlight: 0, waiting: 1 });
});

describe('a breaker that cannot open', () => {
  /** Five lanes fail one after the other. */
  async function fail(times = 5) {
    const node = run();
    for (let partition = 0; partition < times; partition++)
      await node.attempt(await node.turnOf(partition), broken);
    return node;
  }

  test('opens here when half of five attempts failed', async () => {
    const { statusOf } = await fail();
    expect(statusOf('a').state).toBe('open');
  });

  test('not before', async () => {
    const { statusOf } = await fail(4);
    expect(statusOf('a').state).toBe('closed');
  });

  test('lets nothing begin while it is open, of this endpoint', async () => {
    const { wake, begun } = await fail();
    for (const endpoint of ['a', 'b']) wake(9, 20, endpoint);
    await pass(4_000);
    expect(begun()).toEqual(['b 9']);
  });

  test('lets one probe begin when it is half open', async () => {
    const { statusOf, begun, wake } = await fail();
    for (const partition of [7, 8, 9]) wake(partition);
    await pass(5_001);
    expect([statusOf('a').state, begun().length]).toEqual(['half-open', 1]);
  });

  test('closes with the success of the probe, and all lanes have their turns', async () => {
    const { statusOf, turns, attempt, schedule } = await fail();
    await pass(5_001);
    await attempt(turns.pop()!, ok);
    const seen = new Set<unknown>();
    while (turns.length > 0) {
      const turn = turns.pop()!;
      seen.add(turn.lane.partition);
      schedule.idle(turn);
      await pass(1);
    }
    expect([statusOf('a').state, seen.size]).toEqual(['closed', 5]);
  });

  test('opens again with the failure of the probe', async () => {
    const { statusOf, turns, attempt } = await fail();
    await pass(5_001);
    await attempt(turns.pop()!, broken);
    expect(statusOf('a').state).toBe('open');
  });

  test('takes a turn that was reading when it opened back, to be sent later', async () => {
    const node = run();
    const reading = await node.turnOf(9);
    for (let partition = 0; partition < 5; partition++)
      await node.attempt(await node.turnOf(partition), broken);
    node.schedule.deliver(reading, recorded);
    expect([node.due.length, node.statusOf('a')]).toMatchObject([0, { inFlight: 0, state: 'open' }]);
  });

  test('does not open because batches are refused', async () => {
    const node = run({ settings: { concurrency: 1 } });
    for (let partition = 0; partition < 9; partition++) {
      await node.attempt(await node.turnOf(partition), { kind: 'answered', status: 400 });
    }
    expect(node.statusOf('a').state).toBe('closed');
  });

  test('says so, with the host alone', async () => {
    const { log } = await fail();
    await pass(5_001);
    const fields = { appId: 'app-1', endpointId: 'a', host: 'a.test' };
    expect([log.all('endpoint.opened'), log.all('endpoint.half-open')]).toEqual([[fields], [fields]]);
  });

  test('closes with the success of the probe, also when somebody asked for it', async () => {
    const { schedule, statusOf, turns, attempt } = await fail();
    await pass(5_000);
    schedule.resume('app-1', 'a');
    await pass(1);
    await attempt(turns.pop()!, ok);
    expect(statusOf('a').state).toBe('closed');
  });

  test('is overruled when somebody asks for an attempt now', async () => {
    const { schedule, turns, begun, attempt } = await fail();
    schedule.resume('app-1', 'a');
    await pass(0);
    const [first] = turns;
    const one = begun().length;
    await attempt(first!, ok);
    expect([one, begun().length]).toEqual([1, 2]);
  });

  test('closes also after it was overruled', async () => {
    const { schedule, turns, statusOf, attempt, turnOf } = await fail();
    schedule.resume('app-1', 'a');
    await pass(0);
    await attempt(turns.pop()!, ok);
    for (let i = 0; i < 5; i++) {
      for (const turn of turns.splice(0)) schedule.idle(turn);
      await pass(1_001);
    }
    await attempt(await turnOf(9), ok);
    expect(statusOf('a').state).toBe('closed');
  });
});

describe('a paused endpoint', () => {
  async function paused() {
    const node = run();
    node.schedule.pause(await node.turnOf(1), '410');
    return node;
  }

  test('is asked nothing', async () => {
    const { wake, begun, statusOf } = await paused();
    wake(2);
    await pass(600_000);
    expect([begun(), statusOf('a').state]).toEqual([[], 'paused']);
  });

  test('is asked again, everything, once it is resumed', async () => {
    const { schedule, wake, begun, statusOf } = await paused();
    wake(2);
    schedule.resume('app-1', 'a');
    await pass(0);
    expect([begun(), statusOf('a').state]).toEqual([['a 1', 'a 2'], 'closed']);
  });
});

describe('a drain', () => {
  /** Whether it is over by now. */
  async function drained({ schedule }: ReturnType<typeof run>): Promise<boolean> {
    let isOver = false;
    void schedule.drain().then(() => (isOver = true));
    await pass(0);
    return isOver;
  }

  test('is over at once when there is nothing to do', async () => {
    expect(await drained(run())).toBe(true);
  });

  test('ends the windows of batches, and is over when they are sent', async () => {
    const node = run();
    node.wake(1, 1);
    const before = await drained(node);
    node.schedule.idle(node.turns[0]!);
    expect([before, node.begun(), await drained(node)]).toEqual([false, ['a 1'], true]);
  });

  test('gives each lane that waits one more attempt', async () => {
    const node = run();
    node.schedule.postpone(await node.turnOf(1), 'no answer');
    const before = await drained(node);
    node.schedule.postpone(node.turns[0]!, 'no answer');
    expect([before, node.begun(), await drained(node)]).toEqual([false, ['a 1'], true]);
  });

  test('leaves an endpoint that fails alone', async () => {
    const node = run({ settings: { concurrency: 1 } });
    for (const partition of [1, 2, 3]) node.wake(partition);
    await drained(node);
    await node.attempt(node.turns.pop()!, broken);
    expect([node.begun(), await drained(node)]).toEqual([[], true]);
  });

  test('asks an endpoint whose breaker is open once, and goes on when it answers', async () => {
    const node = run({ settings: { concurrency: 1 } });
    for (let partition = 0; partition < 5; partition++) {
      await node.attempt(await node.turnOf(partition), broken);
    }
    await drained(node);
    await node.attempt(node.turns.pop()!, ok);
    expect([node.begun().length, await drained(node)]).toEqual([1, false]);
  });

  test('does not wait for a paused endpoint', async () => {
    const node = run();
    node.schedule.pause(await node.turnOf(1), '410');
    expect(await drained(node)).toBe(true);
  });
});

describe('a closed schedule', () => {
  test('begins nothing, and its sources are complete', async () => {
    const node = run();
    node.wake(1);
    node.schedule.close();
    await pass(1_000);
    expect([node.begun(), node.isComplete]).toEqual([[], true]);
  });

  test('leaves no timer behind', async () => {
    const node = run();
    node.schedule.postpone(await node.turnOf(1), 'no answer');
    node.wake(2, 1);
    node.schedule.close();
    expect(jest.getTimerCount()).toBe(0);
  });
});

test('with random work, ends and answers no slot is lost, no lane has two turns and none with work is forgotten', async () => {
  const command = fc.oneof(
    fc.record({
      do: fc.constant('wake' as const),
      partition: fc.nat(5),
      pending: fc.integer({ min: 1, max: 30 }),
    }),
    fc.record({
      do: fc.constantFrom('idle', 'gather', 'again', 'ok', 'broken', 'postpone', 'hold'),
      turn: fc.nat(9),
    }),
    fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 4_000 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 60 }), async (commands) => {
      const node = run();
      const { schedule, turns } = node;
      /** Lanes that were told of work and have not looked since. */
      const owed = new Set<unknown>();
      const running: LaneTurn[] = [];
      const look = (): void => {
        for (const turn of turns.splice(0)) {
          owed.delete(turn.lane.partition);
          running.push(turn);
        }
        expect(running.length).toBeLessThanOrEqual(settings.concurrency);
        expect(new Set(running.map(({ lane }) => lane.partition)).size).toBe(running.length);
        expect(node.statusOf('a').inFlight).toBe(running.length);
      };
      const end = async (turn: LaneTurn, how: string): Promise<void> => {
        running.splice(running.indexOf(turn), 1);
        if (how === 'gather') schedule.gather(turn, Date.now() + 100, 40);
        else if (how === 'again') schedule.again(turn);
        else if (how === 'idle') schedule.idle(turn);
        else if (how === 'postpone') schedule.postpone(turn, 'error');
        else if (how === 'hold') schedule.hold(turn);
        else await node.attempt(turn, how === 'ok' ? ok : broken);
      };
      for (const command of commands) {
        if (command.do === 'wake') {
          owed.add(command.partition);
          node.wake(command.partition, command.pending);
        } else if (command.do === 'pass') await pass(command.ms);
        else {
          const turn = running[command.turn % Math.max(1, running.length)];
          if (turn !== undefined) await end(turn, command.do);
        }
        await pass(0);
        look();
      }
      for (let i = 0; i < 100; i++) {
        for (const turn of [...running]) await end(turn, 'idle');
        await pass(1_000);
        look();
      }
      expect([[...owed], node.statusOf('a')]).toMatchObject([[], { inFlight: 0, due: 0, waiting: 0 }]);
      schedule.close();
    }),
    { numRuns: 60 },
  );
});
