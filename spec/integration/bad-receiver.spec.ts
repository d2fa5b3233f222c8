import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { loadConfig } from '../../config/load.ts';
import { createMemoryStores } from '../../lib/stores.ts';
import { VirtualNode } from '../chaos/virtual-node.ts';
import { postTo, VirtualReceiver } from '../chaos/virtual-receiver.ts';
import { closeClients, connect, type TestClient } from '../support/client.ts';
import type { Client } from '../pipelines/running-node.ts';
import type { Journal, ToldEvent } from '../support/journal.ts';
import { type JournalRules, problemsOf } from '../support/journal-problems.ts';
import { type Behaviour, ok, picky, type Receiver, startReceiver } from '../support/receiver.ts';
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
function expectAllVisits(journal: Journal, rules: JournalRules = {}): void {
  expect(problemsOf(journal, rules)).toEqual([]);
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

describe('in virtual time', () => {
  const url = 'http://ours.test/';
  const timeoutMs = 4_000;
  const apps = [{ ...testApp, webhooks: [{ url }] }];
  const { config } = loadConfig({ env: {}, overrides: { apps, webhooks: { graceMs: 0, timeoutMs } } });
  let receiver: VirtualReceiver;
  let node: VirtualNode;
  let clients: readonly Client[];
  beforeEach(async () => {
    useVirtualTime();
    receiver = new VirtualReceiver(testApp, timeoutMs);
    const post = postTo(new Map([[url, receiver]]));
    node = new VirtualNode({ config, post, createStores: createMemoryStores });
    await elapseUntil(node.start());
    clients = Array.from({ length: rooms }, () => node.open(testApp.key));
  });
  afterEach(async () => {
    await elapseUntil(node.stop());
    jest.useRealTimers();
  });

  /** Each client visits its room that often, spread over the time. */
  async function comeAndGo(times: number, ms: number, beforeVisit: (visit: number) => void): Promise<void> {
    for (let visit = 0; visit < times; visit++) {
      beforeVisit(visit);
      for (const [index, client] of clients.entries()) client.subscribe(`presence-${index}`, `user-${index}`);
      await elapse(ms / times / 2);
      for (const [index, client] of clients.entries()) client.unsubscribe(`presence-${index}`);
      await elapse(ms / times / 2);
    }
  }

  it.each([...faults.map((fault) => [fault.kind, [fault]] as const), ['all of it in turn', faults] as const])(
    'a receiver with the fault %s for a minute is told all events in order, each attempt the same',
    async (_, kinds) => {
      await comeAndGo(visits, 60_000, (visit) => {
        receiver.behave(kinds[Math.floor((visit / visits) * kinds.length)] ?? ok);
      });
      receiver.behave(ok);
      await elapseUntil(receiver.journal.until(({ eventCount }) => eventCount === events));
      expectAllVisits(receiver.journal);
      await elapse(timeoutMs);
      expect(await node.isQuiet()).toBe(true);
    },
  );

  it('a receiver that refuses the events of one channel for good is told all others, and those when it is asked again', async () => {
    const poisoned = 5;
    const isRefused = ({ channel }: ToldEvent): boolean => channel === 'poison';
    receiver.behave(picky(isRefused));
    const poisoner = node.open(testApp.key);
    await comeAndGo(visits, 30 * 60_000, (visit) => {
      if (visit >= poisoned) return;
      poisoner.subscribe('poison');
      poisoner.unsubscribe('poison');
    });
    await elapseUntil(receiver.journal.until(({ eventCount }) => eventCount === events));
    expectAllVisits(receiver.journal, { rebatches: true });
    await elapse(timeoutMs);
    expect(await node.isQuiet()).toBe(true);
    const { outbox } = node.parts;
    const dead = await outbox.list({ appId: testApp.id, state: 'dead' }, 1_000);
    expect(dead.map(({ event }) => event.channel)).toEqual(
      Array.from({ length: 2 * poisoned }, () => 'poison'),
    );

    receiver.behave(ok);
    expect(await outbox.replay({ appId: testApp.id, channel: 'poison' }, 1_000)).toBe(2 * poisoned);
    await elapseUntil(receiver.journal.until(({ eventCount }) => eventCount === events + 2 * poisoned));
    const visit = ['channel_occupied', 'channel_vacated'];
    expect(receiver.journal.told('poison')).toEqual(Array.from({ length: poisoned }, () => visit).flat());
  });
});
