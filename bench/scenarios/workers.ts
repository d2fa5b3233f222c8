import { setPriority } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import type { Figures, Scenario } from '../scenario.ts';
import { type BenchRedis, besideRedis } from '../support/beside-redis.ts';
import { clientEventOf } from '../support/client-messages.ts';
import { stopped, underLoad } from '../support/load-run.ts';
import type { NativeLoad, PublishPlan } from '../support/native-load.ts';
import { pinRunning } from '../support/pin.ts';
import { childrenOf, cpuMsOfEach } from '../support/process-tree.ts';
import type { BenchServer } from '../support/servers.ts';

interface Shape {
  readonly subscribers: number;
  /** Of the phase at a fixed rate, which leaves every worker time to spare. */
  readonly perSecond: number;
  readonly warmMs: number;
  readonly ms: number;
}

/** What one phase took of the processors, for each delivery to all subscribers. */
interface Phase {
  /** Of each process, in the order they were given. */
  readonly usOf: readonly number[];
  readonly redisUs: number;
  readonly perSecond: number;
  /** Of one processor. */
  readonly loadShare: number;
}

/** What one number of workers did, at the fixed rate and without pause. */
interface Shared {
  /** Processor time of all processes of the server for one delivery, at the fixed rate. */
  readonly cpuUs: number;
  /** That of the worker that used the most. */
  readonly busiestUs: number;
  readonly redisUs: number;
  /** Without pause, on processors that are shared with the load and Redis. */
  readonly perSecond: number;
  /** Of one processor, in that phase. */
  readonly loadShare: number;
}

const channel = 'private-bench';
const eventBytes = 200;
/** Events under way in the phase without pause. */
const window = 4;
/** Without pause the load and Redis take only what the workers leave. */
const lowest = 19;

/**
 * One worker beside two, both on Redis. Where there are only two processors the load takes one of them, so what two workers
 * can do is worked out, and what they did is shown beside it. At a fixed rate each worker in turn has the server's
 * processor to itself, as it would have where there are enough of them, and all else is on the other one. A worker is
 * full when its processor is, so two do as much more as the busiest needs less for each delivery of both. Without pause
 * all may run on any processor.
 */
export const scenario: Scenario = {
  name: 'workers',
  question: 'one channel over two workers: how much more do they deliver than one?',
  servers: ['spillway'],
  cases: ({ quick }) => [`N=${quick ? 200 : 1_000}`],
  run: (_, name, { quick }) => compare(shapeOf(Number(name.slice(2)), quick)),
  columns: [
    { figure: 'speedUp', title: 'speed-up if each worker had a processor' },
    { figure: 'oneCpuUs', title: 'CPU us/delivery, 1 worker' },
    { figure: 'twoCpuUs', title: '2 workers, all processes' },
    { figure: 'twoBusiestUs', title: '2 workers, the busiest' },
    { figure: 'twoBusiestShare', title: 'its share of the work' },
    { figure: 'oneRedisUs', title: 'Redis CPU us/delivery, 1 worker' },
    { figure: 'twoRedisUs', title: '2 workers' },
    { figure: 'onePerSecond', title: 'deliveries/s without pause here, 1 worker' },
    { figure: 'twoPerSecond', title: '2 workers' },
    { figure: 'measuredSpeedUp', title: 'speed-up here' },
    { figure: 'oneLoadShare', title: 'share of a processor the load used then, 1 worker' },
    { figure: 'twoLoadShare', title: '2 workers' },
  ],
  targets: [
    {
      name: 'deliveries of two workers, x one, where the load does not take their processors',
      figure: 'speedUp',
      of: 'spillway',
      least: 1.7,
    },
  ],
};

function shapeOf(subscribers: number, quick: boolean): Shape {
  // About a third of a processor for one worker.
  const perSecond = Math.round(50_000 / subscribers);
  return { subscribers, perSecond, ...(quick ? { warmMs: 300, ms: 800 } : { warmMs: 1_500, ms: 4_000 }) };
}

async function compare(shape: Shape): Promise<Figures> {
  const one = await besideRedis((redis) => share(1, shape, redis));
  const two = await besideRedis((redis) => share(2, shape, redis));
  return {
    speedUp: one.cpuUs / two.busiestUs,
    oneCpuUs: one.cpuUs,
    twoCpuUs: two.cpuUs,
    twoBusiestUs: two.busiestUs,
    twoBusiestShare: two.busiestUs / two.cpuUs,
    oneRedisUs: one.redisUs,
    twoRedisUs: two.redisUs,
    onePerSecond: one.perSecond,
    twoPerSecond: two.perSecond,
    measuredSpeedUp: two.perSecond / one.perSecond,
    oneLoadShare: one.loadShare,
    twoLoadShare: two.loadShare,
  };
}

function share(workers: number, shape: Shape, redis: BenchRedis): Promise<Shared> {
  const config = { server: { workers }, ...redis.config };
  return underLoad('spillway', { config }, async (server, load) => {
    const pids = processesOf(server, workers);
    const { port } = server;
    await load.open({ port, count: shape.subscribers, channel, role: 'receiver' });
    await load.open({ port, count: 1, channel, role: 'sender' });
    const text = clientEventOf(eventBytes, channel.length);
    const alone: number[] = [];
    const redisUs: number[] = [];
    for (const pid of pids) {
      for (const other of pids) pinRunning(other === pid ? 'server' : 'load', other);
      const calm = await phase(pids, load, redis, { text, perSecond: shape.perSecond }, shape);
      alone.push(calm.usOf[pids.indexOf(pid)] ?? 0);
      redisUs.push(calm.redisUs);
    }
    for (const pid of [...pids, redis.pid, load.pid]) pinRunning('both', pid);
    for (const pid of [redis.pid, load.pid]) setPriority(pid, lowest);
    const full = await phase(pids, load, redis, { text, window }, shape);
    return {
      cpuUs: sumOf(alone),
      busiestUs: Math.max(...alone),
      redisUs: sumOf(redisUs) / redisUs.length,
      perSecond: full.perSecond,
      loadShare: full.loadShare,
    };
  });
}

/** The process that was started, and its workers. @throws Error when they are not as many as were asked for. */
function processesOf(server: BenchServer, workers: number): readonly number[] {
  const children = childrenOf(server.pid);
  const expected = workers === 1 ? 0 : workers;
  if (children.length !== expected)
    throw new Error(`the server has ${children.length} workers in place of ${expected}`);
  return [server.pid, ...children];
}

async function phase(
  pids: readonly number[],
  load: NativeLoad,
  redis: BenchRedis,
  plan: PublishPlan,
  { warmMs, ms }: Shape,
): Promise<Phase> {
  await load.publish(plan);
  await wait(warmMs);
  await load.count();
  const [startMs, redisMs] = [cpuMsOfEach(pids), redis.cpuMs()];
  await wait(ms);
  const counted = await load.count();
  const usedMs = cpuMsOfEach(pids).map((cpuMs, index) => cpuMs - (startMs[index] ?? 0));
  const redisUsedMs = redis.cpuMs() - redisMs;
  await stopped(load);
  const usEach = (cpuMs: number): number => (cpuMs * 1000) / counted.delivered;
  return {
    usOf: usedMs.map(usEach),
    redisUs: usEach(redisUsedMs),
    perSecond: (counted.delivered * 1000) / counted.tookMs,
    loadShare: counted.loadCpuMs / counted.tookMs,
  };
}

function sumOf(figures: readonly number[]): number {
  return figures.reduce((sum, one) => sum + one, 0);
}
