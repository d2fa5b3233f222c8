import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { WebSocket } from 'ws';
import { closeClients, connect, type TestClient } from '../support/client.ts';
import { foldOf, problemsOf } from '../support/journal-problems.ts';
import { seededRandom } from '../support/late-stores.ts';
import { type ServerProcess, startServerProcess } from '../support/process.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { testApp } from '../support/server.ts';

const sockets = 500;
const seed = Number(process.env['CHAOS_SEED'] ?? 20_261_121);

let folder: string;
let receiver: Receiver;
let server: ServerProcess | undefined;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'spillway-spool-'));
  receiver = await startReceiver(testApp);
});
afterEach(async () => {
  closeClients();
  await server?.stop();
  await receiver.stop();
  rmSync(folder, { recursive: true, force: true });
});

const spoolFile = (): string => join(folder, 'spool.ndjson');

async function start(timeoutMs = 4_000): Promise<ServerProcess> {
  server = await startServerProcess({
    apps: [{ ...testApp, webhooks: [{ url: receiver.url }] }],
    webhooks: { spoolFile: spoolFile(), timeoutMs, graceMs: 100 },
    drain: { waveMs: 50, perWave: 25, deadlineMs: 25_000 },
  });
  return server;
}

/** Clients in presence and plain channels, who go on joining and leaving until the server has sent them away. */
class Crowd {
  readonly #clients: readonly TestClient[];
  readonly #random = seededRandom(seed);
  /** Who is out of its room. */
  readonly #out = new Set<TestClient>();
  #changes = 0;
  #isOver = false;
  #churning: Promise<void> = Promise.resolve();

  constructor(clients: readonly TestClient[]) {
    this.#clients = clients;
  }

  static async open(target: ServerProcess): Promise<Crowd> {
    const clients = await Promise.all(Array.from({ length: sockets }, () => connect(target)));
    await Promise.all(
      clients.map(async (client, index) => {
        await client.subscribed(`presence-${index % 25}`, { user_id: `user-${index % 200}` });
        await client.subscribed(`plain-${index % 40}`);
      }),
    );
    return new Crowd(clients);
  }

  /** Joins and leaves made so far. */
  get changes(): number {
    return this.#changes;
  }

  churn(): void {
    this.#churning = this.#churn();
  }

  /** The close code that each client was given, those left out that went by themselves. */
  async codes(): Promise<ReadonlySet<number>> {
    const closes = await Promise.all(this.#clients.map(({ closed }) => closed));
    this.#isOver = true;
    await this.#churning;
    return new Set(closes.map(({ code }) => code).filter((code) => code !== 1005 && code !== 1006));
  }

  /** Two thousand changes a second. */
  async #churn(): Promise<void> {
    while (!this.#isOver) {
      for (let turn = 0; turn < 10; turn++) this.#change();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  #change(): void {
    const index = Math.floor(this.#random() * this.#clients.length);
    const client = this.#clients[index];
    if (client === undefined || client.socket.readyState !== WebSocket.OPEN) return;
    this.#changes += 1;
    const room = `presence-${index % 25}`;
    if (this.#random() < 0.005) client.terminate();
    else if (this.#out.delete(client)) client.subscribe(room, { user_id: `user-${index % 200}` });
    else {
      this.#out.add(client);
      client.unsubscribe(room);
    }
  }
}

/** By socket: how often it was said to have opened, and to have closed. */
function lifesIn({ lines }: ServerProcess): {
  readonly opened: readonly string[];
  readonly closed: readonly string[];
} {
  const idsOf = (msg: string): readonly string[] =>
    lines
      .filter((line) => line['msg'] === msg)
      .map((line) => String(line['socketId']))
      .sort();
  return { opened: idsOf('connection.opened'), closed: idsOf('connection.closed') };
}

function failuresIn({ lines }: ServerProcess): readonly unknown[] {
  return lines.filter(({ level }) => level === 'error' || level === 'fatal');
}

describe(`SIGTERM while ${sockets} sockets join and leave`, () => {
  it('settles every disconnect, tells endpoints everything and ends with 0', async () => {
    const target = await start();
    const crowd = await Crowd.open(target);
    crowd.churn();
    await receiver.journal.until(({ eventCount }) => eventCount > 1_000);
    const changesBefore = crowd.changes;
    const [exitCode, codes] = await Promise.all([target.stop(), crowd.codes()]);
    await target.waitFor('server.stopped');

    expect(exitCode).toBe(0);
    expect(codes).toEqual(new Set([4200]));
    expect(crowd.changes).toBeGreaterThan(changesBefore);
    const { opened, closed } = lifesIn(target);
    expect(opened).toHaveLength(sockets);
    expect(closed).toEqual(opened);

    expect(problemsOf(receiver.journal)).toEqual([]);
    expect(foldOf(receiver.journal.events)).toEqual({});
    expect(receiver.journal.told('plain-0')).toEqual(['channel_occupied', 'channel_vacated']);
    expect(await target.waitFor('outbox.spooled')).toMatchObject({ events: 0 });
    expect(failuresIn(target)).toEqual([]);
    process.stdout.write(
      `stop under load: ${crowd.changes - changesBefore} joins and leaves during the stop, ${receiver.journal.eventCount} events told\n`,
    );
  }, 60_000);

  it.each([
    ['answers 500', { kind: 'status', status: 500 } as const],
    ['hangs', { kind: 'hang' } as const],
    ['died after it took them', { kind: 'die' } as const],
  ])(
    'spools what a receiver that %s does not take, and delivers it after the next start',
    async (_, fault) => {
      const { journal } = receiver;
      await receiver.behave(fault);
      const first = await start();
      const crowd = await Crowd.open(first);
      crowd.churn();
      await journal.until(({ attempts }) => attempts.length >= 5);
      await Promise.all([first.stop(), crowd.codes()]).then(([exitCode]) => expect(exitCode).toBe(0));
      const spooled = await first.waitFor('outbox.spooled');
      expect(Number(spooled['events'])).toBeGreaterThan(0);
      expect(statSync(spoolFile()).mode & 0o777).toBe(0o600);
      const { opened, closed } = lifesIn(first);
      expect(closed).toEqual(opened);
      const attempted = new Set(journal.attempts.map(({ webhookId }) => webhookId));

      await receiver.behave({ kind: 'ok' });
      const second = await start();
      expect(await second.waitFor('outbox.restored')).toMatchObject({ events: spooled['events'] });
      expect(existsSync(spoolFile())).toBe(false);
      await journal.until(({ events }) => events.length > 0 && Object.keys(foldOf(events)).length === 0);
      expect(await second.stop()).toBe(0);
      expect(await second.waitFor('outbox.spooled')).toMatchObject({ events: 0 });

      const taken = new Set(journal.taken.map(({ webhookId }) => webhookId));
      expect([...attempted].filter((id) => !taken.has(id))).toEqual([]);
      expect(problemsOf(journal)).toEqual([]);
      expect(foldOf(journal.events)).toEqual({});
    },
    90_000,
  );
});
