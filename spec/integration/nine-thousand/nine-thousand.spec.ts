import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from '@jest/globals';
import { occupied, pollMetrics, type Readings, readMetrics } from '../../support/gauges.ts';
import { type ServerProcess, startServerProcess } from '../../support/process.ts';
import { testApp } from '../../support/server.ts';

const connections = 9_000;

let server: ServerProcess | undefined;
let crowd: Crowd | undefined;
afterEach(async () => {
  crowd?.kill();
  await server?.stop();
});

describe('nine thousand connections at once, of another process', () => {
  it('leave registries, timers and file descriptors as they were, however they end', async () => {
    server = await startServerProcess({
      apps: [{ ...testApp, watchlist: true, subscriptionCount: true }],
      server: { activityTimeoutSeconds: 2, pongTimeoutSeconds: 2 },
    });
    const { adminPort, pid } = server;
    await readMetrics(adminPort);
    const before = await readMetrics(adminPort);
    const descriptorsBefore = descriptorsOf(pid);

    crowd = new Crowd(server);
    await crowd.does(`open ${connections}`);
    expect(occupied(await readMetrics(adminPort))).toMatchObject({
      spillway_sockets: connections,
      spillway_connections: connections,
      spillway_subscriptions: 2 * connections,
      spillway_channels: 500 + 300,
      spillway_signed_in_users: 250,
      spillway_watchers: connections / 4,
    });
    expect(descriptorsOf(pid)).toBeGreaterThan(connections);

    for (const way of ['close', 'reset', 'silent']) await crowd.does(way);

    const after = await pollMetrics(adminPort, (now) => isAs(before, now));
    expect(occupied(after)).toEqual({});
    expect(resourcesOf(after)).toEqual(resourcesOf(before));
    expect(descriptorsOf(pid)).toBeLessThanOrEqual(descriptorsBefore);
    expect(causesIn(server)).toEqual({
      'client 1000': connections / 3,
      'error 1006': connections / 3,
      'pong-timeout 4201': connections / 3,
    });
    expect(server.lines.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
    expect(await server.stop()).toBe(0);
  }, 90_000);
});

function isAs(before: Readings, now: Readings): boolean {
  return (
    Object.keys(occupied(now)).length === 0 &&
    JSON.stringify(resourcesOf(now)) === JSON.stringify(resourcesOf(before))
  );
}

/** Timers, sockets, requests: what keeps the process busy, by kind. */
function resourcesOf(readings: Readings): Readonly<Record<string, number>> {
  const kinds = [...readings.byLabel('spillway_nodejs_active_resources', 'type')];
  return Object.fromEntries(kinds.sort(([one], [other]) => one.localeCompare(other)));
}

function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function causesIn({ lines }: ServerProcess): Readonly<Record<string, number>> {
  const causes: Record<string, number> = {};
  for (const { msg, cause, closeCode } of lines) {
    if (msg !== 'connection.closed') continue;
    const name = `${String(cause)} ${String(closeCode)}`;
    causes[name] = (causes[name] ?? 0) + 1;
  }
  return causes;
}

/** The process with the clients; a line on its stdin is done when the first word comes back. */
class Crowd {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<string, () => void>();

  constructor({ port, key, secret }: ServerProcess) {
    this.#child = spawn(process.execPath, [require.resolve('./crowd.js'), String(port), key, secret], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    createInterface({ input: this.#child.stdout! }).on('line', (verb) => this.#waiting.get(verb)?.());
  }

  does(line: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(line.split(' ')[0]!, resolve);
      this.#child.once('exit', (code) => reject(new Error(`the crowd ended with ${code} during ${line}`)));
      this.#child.stdin!.write(`${line}\n`);
    });
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
