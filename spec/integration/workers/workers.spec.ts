import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { TestApi } from '../../support/api.ts';
import { closeClients, connect, type TestClient } from '../../support/client.ts';
import { type Readings, readMetrics } from '../../support/gauges.ts';
import { type ServerProcess, startServerProcess } from '../../support/process.ts';
import { notSummed } from '../../../lib/telemetry/merged-metrics.ts';
import { problemsOf } from '../../support/journal-problems.ts';
import { startReceiver } from '../../support/receiver.ts';
import { type RedisServer, startRedis } from '../../support/redis.ts';
import { testApp } from '../../support/server.ts';
import { knock, Knocker, startWithWorkers, untilEnded, workersOf, workerWith } from './running-workers.ts';

let redis: RedisServer;
/** Two processes have to load before one of these begins, and two more in a rolling restart. */
jest.setTimeout(60_000);

const cleanups: (() => unknown)[] = [];
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
afterEach(async () => {
  closeClients();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(config: Readonly<Record<string, unknown>> = {}): Promise<ServerProcess> {
  const server = await startWithWorkers(redis, config);
  cleanups.push(() => server.stop());
  return server;
}

async function readyOf({ adminPort }: ServerProcess) {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/ready`);
  return { status: answer.status, body: (await answer.json()) as ReadyBody };
}

/** On a busy machine an answer may take longer than the second it has. */
async function untilReady(server: ServerProcess): Promise<void> {
  for (;;) {
    const { status, body } = await readyOf(server);
    if (status === 200 && body.status === 'ready') return;
  }
}

interface ReadyBody {
  readonly status: string;
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly detail?: string }>>;
}

/** Earlier clients may still be leaving. */
async function readingsWith(server: ServerProcess, name: string, value: number): Promise<Readings> {
  for (;;) {
    const readings = await readMetrics(server.adminPort);
    if (readings.value(name) === value) return readings;
  }
}

const connectMany = (server: ServerProcess, count: number): Promise<readonly TestClient[]> =>
  Promise.all(Array.from({ length: count }, () => connect(server)));

describe('two workers', () => {
  let server: ServerProcess;
  beforeAll(async () => {
    server = await startWithWorkers(redis);
  });
  afterAll(() => server.stop());

  it('have one port between them, and an even share of the connections', async () => {
    // One after the other: of many at once a worker that is busy gets fewer.
    const clients: TestClient[] = [];
    while (clients.length < 20) clients.push(await connect(server));
    const pids = await Promise.all(clients.map(async (client) => (await workerWith(server, client)).pid));
    const counts = workersOf(server).map(({ pid }) => pids.filter((one) => one === pid).length);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(5);
    const metrics = await readingsWith(server, 'spillway_connections', 20);
    const shares = [...metrics.byLabel('spillway_worker_connections', 'worker').values()];
    expect(shares.sort()).toEqual([...counts].sort());
  });

  it('bring what is published on one to the subscribers of both', async () => {
    const clients = await connectMany(server, 4);
    for (const client of clients) await client.subscribed('room');
    const api = new TestApi(server);
    expect((await api.trigger('room', 'news', 'hello')).status).toBe(200);
    api.close();
    for (const client of clients)
      expect(await client.waitFor('news', 'room')).toMatchObject({ data: 'hello' });
  });

  it('have one roster of a presence channel', async () => {
    const clients = await connectMany(server, 4);
    for (const [n, client] of clients.entries())
      await client.subscribed('presence-room', { user_id: `user-${n}` });
    const last = await connect(server);
    expect(await last.subscribed('presence-room', { user_id: 'last' })).toMatchObject({
      presence: { count: 5, ids: expect.arrayContaining(['user-0', 'user-1', 'user-2', 'user-3', 'last']) },
    });
  });

  it('are one in /metrics: sums, but not of what each reads from the store', async () => {
    const clients = await connectMany(server, 6);
    for (const client of clients) await client.subscribed('metered');
    const metrics = await readingsWith(server, 'spillway_connections', 6);
    expect(metrics.value('spillway_subscriptions')).toBe(6);
    expect(metrics.value('spillway_cluster_owned_partitions')).toBe(4);
    expect(metrics.value('spillway_cluster_live_nodes')).toBe(2);
    expect(metrics.value('spillway_redis_up')).toBe(1);
    expect(metrics.value('spillway_workers')).toBe(2);
  });

  it('are one in /ready: one that is silent makes the whole degraded, not unready', async () => {
    await untilReady(server);
    const [worker] = workersOf(server);
    process.kill(worker!.pid, 'SIGSTOP');
    const { status, body } = await readyOf(server);
    process.kill(worker!.pid, 'SIGCONT');
    expect(status).toBe(200);
    expect(body.status).toBe('degraded');
    expect(body.checks['workers']).toEqual({ ok: false, detail: '1 of 2 answer' });
    await untilReady(server);
  });

  it('write whole lines into one output, each with its node id', () => {
    const ids = new Set(server.lines.map(({ nodeId }) => nodeId));
    expect(ids.size).toBe(3);
    expect(server.lines.filter(({ msg }) => msg === 'server.listening')).toHaveLength(1);
  });
});

describe('a worker that is killed', () => {
  it('is replaced; its leaves are told once, and no counter falls', async () => {
    const receiver = await startReceiver(testApp);
    cleanups.push(() => receiver.stop());
    const server = await start({ apps: [{ ...testApp, webhooks: [{ url: receiver.url }] }] });
    const clients = await connectMany(server, 8);
    for (const [n, client] of clients.entries())
      await client.subscribed('presence-room', { user_id: `user-${n}` });
    const [victim] = workersOf(server);
    const owners = await Promise.all(clients.map((client) => workerWith(server, client)));
    const lost = clients.flatMap((_, n) => (owners[n]?.pid === victim?.pid ? [`user-${n}`] : []));
    const opened = async () =>
      (await readMetrics(server.adminPort)).value('spillway_connections_opened_total');
    const before = await opened();
    await receiver.journal.until((journal) => journal.told().length === 9);

    process.kill(victim!.pid, 'SIGKILL');
    await server.waitFor('worker.lost', (line) => line['workerPid'] === victim!.pid);
    expect((await readyOf(server)).body.checks['workers']?.ok).toBe(false);
    await server.waitFor(
      'worker.listening',
      ({ worker, workerPid }) => worker === 1 && workerPid !== victim!.pid,
    );
    expect(await opened()).toBeGreaterThanOrEqual(before);
    expect((await readMetrics(server.adminPort)).value('spillway_worker_losses_total')).toBe(1);

    const removed = (): readonly string[] =>
      receiver.journal.told().filter((told) => told.startsWith('member_removed'));
    await receiver.journal.until(() => removed().length >= lost.length);
    expect([...removed()].sort()).toEqual(lost.map((user) => `member_removed ${user}`).sort());
    const back = await connect(server);
    expect(await back.subscribed('presence-room', { user_id: 'back' })).toMatchObject({
      presence: { count: 8 - lost.length + 1 },
    });
    expect(problemsOf(receiver.journal)).toEqual([]);
    await untilReady(server);
  });
});

describe('SIGHUP', () => {
  it('replaces every worker while the port takes connections, and sends clients away to come back', async () => {
    const server = await start();
    const former = workersOf(server);
    const clients = await connectMany(server, 8);
    const knocker = new Knocker(server.port);
    cleanups.push(() => knocker.stop());
    server.child.kill('SIGHUP');
    const closes = await Promise.all(clients.map((client) => client.closed));
    expect(new Set(closes.map(({ code }) => code))).toEqual(new Set([4200]));
    await server.waitFor('workers.restarted');
    await knocker.stop();
    expect(knocker.refusals).toEqual([]);
    expect(knocker.knocks).toBeGreaterThan(20);
    const now = workersOf(server).slice(former.length);
    expect(now).toHaveLength(2);
    // One after the other: of many at once a worker that is busy may get none.
    const pids = new Set<number>();
    while (pids.size < 2) pids.add((await workerWith(server, await connect(server))).pid);
    expect(pids).toEqual(new Set(now.map(({ pid }) => pid)));
    expect(server.lines.filter(({ msg }) => msg === 'worker.lost')).toEqual([]);
  });
});

describe('a stop', () => {
  it('by SIGTERM drains every worker and ends with 0', async () => {
    const server = await startWithWorkers(redis);
    const pids = workersOf(server).map(({ pid }) => pid);
    const clients = await connectMany(server, 4);
    const exitCode = await server.stop();
    const closes = await Promise.all(clients.map((client) => client.closed));
    expect(closes.map(({ code }) => code)).toEqual([4200, 4200, 4200, 4200]);
    expect(exitCode).toBe(0);
    await Promise.all(pids.map(untilEnded));
    expect(server.lines.at(-1)).toMatchObject({ msg: 'server.stopped' });
    expect(server.lines.filter(({ msg }) => msg === 'server.stopped')).toHaveLength(3);
    expect(await knock(server.port)).toContain('ECONNREFUSED');
  });

  it('of one worker by its own signal is a loss: another takes its place', async () => {
    const server = await start();
    const [worker] = workersOf(server);
    process.kill(worker!.pid, 'SIGTERM');
    await server.waitFor('worker.lost', (line) => line['workerPid'] === worker!.pid);
    await server.waitFor(
      'worker.listening',
      (line) => line['worker'] === 1 && line['workerPid'] !== worker!.pid,
    );
    expect(await server.waitFor('worker.ended')).toMatchObject({ workerPid: worker!.pid, exitCode: 0 });
  });

  it('of a primary that is killed drains its workers, and they end', async () => {
    const server = await startWithWorkers(redis);
    const pids = workersOf(server).map(({ pid }) => pid);
    const clients = await connectMany(server, 4);
    server.child.kill('SIGKILL');
    const closes = await Promise.all(clients.map((client) => client.closed));
    expect(closes.map(({ code }) => code)).toEqual([4200, 4200, 4200, 4200]);
    await Promise.all(pids.map(untilEnded));
  });

  it('is over at once at a second signal', async () => {
    const receiver = await startReceiver(testApp);
    cleanups.push(() => receiver.stop());
    const server = await startWithWorkers(redis, {
      apps: [{ ...testApp, webhooks: [{ url: receiver.url }] }],
      drain: { waveMs: 5_000, perWave: 1, deadlineMs: 60_000 },
    });
    const pids = workersOf(server).map(({ pid }) => pid);
    await connectMany(server, 20);
    server.child.kill('SIGTERM');
    await server.waitFor('server.draining');
    expect(await server.stop()).toBe(1);
    await Promise.all(pids.map(untilEnded));
  });
});

describe('operators', () => {
  it('are answered by the primary for all workers', async () => {
    const receiver = await startReceiver(testApp);
    cleanups.push(() => receiver.stop());
    const server = await start({
      apps: [{ ...testApp, webhooks: [{ id: 'hook', url: receiver.url }] }],
      admin: { token: 'sesame' },
    });
    const clients = await connectMany(server, 4);
    for (const [n, client] of clients.entries()) await client.subscribed(`room-${n}`);
    await receiver.journal.until(({ events }) => events.length === 4);
    const ask = async (path: string, body?: object): Promise<unknown> => {
      const answer = await fetch(`http://127.0.0.1:${server.adminPort}${path}`, {
        headers: { authorization: 'Bearer sesame', 'content-type': 'application/json' },
        ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
      });
      return answer.json();
    };
    expect(await ask('/webhooks')).toMatchObject({ endpoints: [{ id: 'hook', state: 'closed' }] });
    expect(await ask('/webhooks/events?app=app-1&state=delivered')).toMatchObject({
      events: expect.arrayContaining([
        expect.anything(),
        expect.anything(),
        expect.anything(),
        expect.anything(),
      ]),
    });
    expect(await ask('/webhooks/retry', { app: 'app-1' })).toEqual({ endpoints: ['hook'], replayed: 0 });
    const metrics = await fetch(`http://127.0.0.1:${server.adminPort}/metrics`, {
      headers: { authorization: 'Bearer sesame' },
    });
    const text = await metrics.text();
    expect(notSummed.filter((name) => !text.includes(`# TYPE ${name} `))).toEqual([]);
    const before = receiver.journal.attempts.length;
    expect(await ask('/webhooks/replay', { app: 'app-1', channel: 'room-1' })).toMatchObject({ replayed: 1 });
    await receiver.journal.until(({ attempts }) => attempts.length > before);
    expect(receiver.journal.attempts.at(-1)?.events).toMatchObject([{ channel: 'room-1' }]);
    expect(await ask('/webhooks/replay', { app: 'app-1' })).toMatchObject({ code: expect.any(String) });
    expect(await ask('/webhooks/events?app=nobody')).toMatchObject({ code: 'admin.no-endpoint' });
  });
});

describe('a start', () => {
  it('without Redis is refused, with the reason', () => {
    const started = spawnSync(
      process.execPath,
      ['bin/spillway.js', 'start', '--port', '0', '--set', 'server.workers=2'],
      { encoding: 'utf8', env: { PATH: process.env['PATH'] ?? '' } },
    );
    expect(started.status).toBe(1);
    expect(started.stderr).toContain('server.workers: several workers need redis.url');
  });

  it('that no worker can make is refused with the reason of the worker', async () => {
    const taken = createServer();
    taken.listen(0, '127.0.0.1');
    await once(taken, 'listening');
    cleanups.push(() => taken.close());
    const { port } = taken.address() as AddressInfo;
    const started = spawnSync(
      process.execPath,
      [
        ...['bin/spillway.js', 'start', '--port', String(port), '--set', 'server.workers=2'],
        ...['--set', `redis.url=${redis.url}`, '--set', 'admin.port=0'],
      ],
      { encoding: 'utf8', env: { PATH: process.env['PATH'] ?? '' } },
    );
    expect(started.status).toBe(1);
    expect(started.stderr).toContain('EADDRINUSE');
  });

  it('with one worker is one process', async () => {
    const server = await startServerProcess({ server: { workers: 1 } });
    cleanups.push(() => server.stop());
    expect(workersOf(server)).toEqual([]);
  });
});
