import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { loadConfig } from '../../config/load.ts';
import { createMemoryStores } from '../../lib/stores.ts';
import { VirtualNode } from '../chaos/virtual-node.ts';
import { postTo, VirtualReceiver } from '../chaos/virtual-receiver.ts';
import { closeClients, connect, type TestClient } from '../support/client.ts';
import type { Journal } from '../support/journal.ts';
import { problemsOf } from '../support/journal-problems.ts';
import { type Behaviour, ok, type Receiver, startReceiver } from '../support/receiver.ts';
import { otherApp, startTestServer, testApp, type TestServer } from '../support/server.ts';
import { elapse, elapseUntil, useVirtualTime } from '../support/virtual-time.ts';

const seconds = Number(process.env['BAD_RECEIVER_SECONDS'] ?? 4);
const rooms = 20;
const visits = 25;
/** A visit is told four times: occupied, added, removed, vacated. */
const events = rooms * visits * 4;

const faults: readonly Behaviour[] = [
  { kind: 'refuse' },
  { kind: 'hang' },
  { kind: 'status', status: 500 },
  { kind: 'huge' },
  { kind: 'die' },
  { kind: 'reset' },
];

/** Every visit of every room, each told once, and whatever else was promised. */
function expectAllVisits(journal: Journal): void {
  expect(problemsOf(journal)).toEqual([]);
  expect(journal.eventCount).toBe(events);
  const visit = (room: number) => [
    'channel_occupied',
    `member_added user-${room}`,
    `member_removed user-${room}`,
    'channel_vacated',
  ];
  for (let room = 0; room < rooms; room++) {
    expect(journal.told(`presence-${room}`)).toEqual(
      Array.from({ length: visits }, () => visit(room)).flat(),
    );
  }
}

describe(`a receiver that refuses, hangs, fails, answers a gigabyte or dies for ${seconds} s`, () => {
  let server: TestServer | undefined;
  let receiver: Receiver;
  let theirs: Receiver;
  beforeEach(async () => {
    [receiver, theirs] = await Promise.all([startReceiver(testApp), startReceiver(otherApp)]);
  });
  afterEach(async () => {
    closeClients();
    await server?.stop();
    await Promise.all([receiver.stop(), theirs.stop()]);
  });

  it(
    `is told all ${events} events in order, each attempt the same, while another app notices nothing`,
    async () => {
      server = await startTestServer({
        config: {
          apps: [
            { ...testApp, webhooks: [{ url: receiver.url }] },
            { ...otherApp, webhooks: [{ url: theirs.url }] },
          ],
          webhooks: { graceMs: 0, batchWindowMs: 20, timeoutMs: 300 },
          log: { level: 'error' },
        },
      });
      const { key, secret } = otherApp;
      const neighbour = await connect({ port: server.port, key, secret });
      const clients = await Promise.all(Array.from({ length: rooms }, () => connect(server!)));
      const [met] = await Promise.all([misbehave(receiver), comeAndGo(clients), comeAndGo([neighbour])]);

      await theirs.journal.until(({ eventCount }) => eventCount === visits * 4);
      await receiver.journal.until(({ eventCount }) => eventCount === events);
      expectAllVisits(receiver.journal);
      expect(problemsOf(theirs.journal)).toEqual([]);
      expect(theirs.journal.attempts.length).toBe(theirs.journal.taken.length);
      const { attempts, taken } = receiver.journal;
      const megabytes = Math.round(receiver.hugeBytesSent / 1e6);
      const faultsMet = [...met].map(([kind, times]) => `${kind} ${times}`).join(', ');
      process.stdout.write(
        `bad receiver: ${events} events, ${attempts.length} attempts, ${attempts.length - taken.length} of them failed (${faultsMet}), ${megabytes} MB of the gigabytes read\n`,
      );
      expect([...met.values()].filter((times) => times === 0)).toEqual([]);
      expect(receiver.hugeBytesSent).toBeLessThan((met.get('huge') ?? 0) * 50_000_000);
    },
    60_000 + seconds * 2_000,
  );

  /** By turns: no listener, and another fault for each request. Answers how often each fault was met. */
  async function misbehave(to: Receiver): Promise<ReadonlyMap<string, number>> {
    const answered = faults.filter(({ kind }) => kind !== 'refuse');
    const met = new Map(answered.map(({ kind }) => [kind, 0]));
    let requests = 0;
    const eachAnother = (): Behaviour => {
      const fault = answered[requests++ % answered.length]!;
      met.set(fault.kind, (met.get(fault.kind) ?? 0) + 1);
      return fault;
    };
    const phases = [eachAnother, { kind: 'refuse' as const }, eachAnother, { kind: 'refuse' as const }];
    for (const phase of phases) {
      await to.behave(phase);
      await pause((seconds * 1_000) / phases.length);
    }
    await to.behave(ok);
    return met;
  }

  /** Each client visits its room again and again, spread over the time. */
  async function comeAndGo(clients: readonly TestClient[]): Promise<void> {
    for (let visit = 0; visit < visits; visit++) {
      await Promise.all(
        clients.map((client, index) => client.subscribed(`presence-${index}`, { user_id: `user-${index}` })),
      );
      for (const [index, client] of clients.entries()) client.unsubscribe(`presence-${index}`);
      await pause((seconds * 1_000) / visits);
    }
  }
});

/** The pace of the load and of the faults; nothing is expected of it. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

describe('a receiver that misbehaves for a minute of virtual time', () => {
  const minuteMs = 60_000;
  const timeoutMs = 4_000;
  const configWith = (url: string) => {
    const apps = [{ ...testApp, webhooks: [{ url }] }];
    return loadConfig({ env: {}, overrides: { apps, webhooks: { graceMs: 0, timeoutMs } } }).config;
  };
  beforeEach(() => useVirtualTime());
  afterEach(() => {
    jest.useRealTimers();
  });

  it.each([
    ...faults.map((fault) => [fault.kind, [fault]] as const),
    ['does all of it in turn', faults] as const,
  ])('(%s) is told all events in order, each attempt the same', async (_, kinds) => {
    const url = 'http://ours.test/';
    const receiver = new VirtualReceiver(testApp, timeoutMs);
    const node = new VirtualNode({
      config: configWith(url),
      post: postTo(new Map([[url, receiver]])),
      createStores: createMemoryStores,
    });
    await elapseUntil(node.start());
    const clients = Array.from({ length: rooms }, () => node.open(testApp.key));
    for (let visit = 0; visit < visits; visit++) {
      receiver.behave(kinds[Math.floor((visit / visits) * kinds.length)] ?? ok);
      for (const [index, client] of clients.entries()) client.subscribe(`presence-${index}`, `user-${index}`);
      await elapse(minuteMs / visits / 2);
      for (const [index, client] of clients.entries()) client.unsubscribe(`presence-${index}`);
      await elapse(minuteMs / visits / 2);
    }
    receiver.behave(ok);
    await elapseUntil(receiver.journal.until(({ eventCount }) => eventCount === events));
    expectAllVisits(receiver.journal);
    await elapse(timeoutMs);
    expect(await node.isQuiet()).toBe(true);
    await elapseUntil(node.stop());
  });
});
