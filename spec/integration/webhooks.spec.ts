import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { RawObject } from '../../config/raw.ts';
import { closeClients, connect, type TestClient } from '../support/client.ts';
import type { ToldEvent } from '../support/journal.ts';
import { foldOf, problemsOf } from '../support/journal-problems.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { otherApp, startTestServer, testApp, type TestServer } from '../support/server.ts';

const everyKind = [
  'channel_occupied',
  'channel_vacated',
  'member_added',
  'member_removed',
  'client_event',
  'cache_miss',
  'subscription_count',
];
const graceMs = 100;
const room = 'presence-room';

let receiver: Receiver;
let second: Receiver;
let theirs: Receiver;
let server: TestServer | undefined;
beforeEach(async () => {
  [receiver, second, theirs] = await Promise.all([
    startReceiver(testApp),
    startReceiver(testApp),
    startReceiver(otherApp),
  ]);
});
afterEach(async () => {
  closeClients();
  await server?.stop();
  server = undefined;
  await Promise.all([receiver.stop(), second.stop(), theirs.stop()]);
});

/**
 * A server whose first app has these endpoints. Its windows are short, and it has one partition: what is told of one
 * channel comes after all that was told before of others.
 */
async function start(webhooks: readonly RawObject[], settings: RawObject = {}): Promise<TestServer> {
  server = await startTestServer({
    config: {
      apps: [
        { ...testApp, subscriptionCount: true, webhooks: [...webhooks] },
        { ...otherApp, webhooks: [{ url: theirs.url }] },
      ],
      cluster: { partitions: 1 },
      webhooks: { graceMs, batchWindowMs: 10, ...settings },
    },
  });
  return server;
}

function join(client: TestClient, user: string, channel = room): Promise<unknown> {
  return client.subscribed(channel, { user_id: user });
}

/** Until a channel that is left after all the others is told: what was armed before it has been told as well. */
async function untilTold(target: TestServer, at: Receiver = receiver): Promise<void> {
  const client = await connect(target);
  await client.subscribed('last');
  await client.close();
  await at.journal.until(({ events }) =>
    events.some(({ name, channel }) => name === 'channel_vacated' && channel === 'last'),
  );
}

/** Without what the outbox adds to Pusher's fields. */
function pusherFieldsOf(event: ToldEvent): object {
  const added = ['id', 'seq', 'prev_seq', 'epoch'];
  return Object.fromEntries(Object.entries(event).filter(([name]) => !added.includes(name)));
}

describe('a running server', () => {
  it('tells all seven kinds, as the Pusher SDK and Standard Webhooks accept them', async () => {
    const target = await start([{ url: receiver.url, events: everyKind }]);
    const { journal } = receiver;
    const client = await connect(target);
    await join(client, 'ann');
    await client.subscribed('cache-news');
    client.send({ event: 'client-typing', channel: room, data: { on: true } });
    await journal.until(({ events }) => events.some(({ name }) => name === 'client_event'));
    await client.close();
    await untilTold(target);

    const toldOf = (name: string) =>
      journal.events.filter(({ channel }) => channel === name).map(pusherFieldsOf);
    expect(toldOf(room)).toEqual([
      { name: 'channel_occupied', channel: room },
      { name: 'member_added', channel: room, user_id: 'ann' },
      {
        name: 'client_event',
        channel: room,
        event: 'client-typing',
        data: '{"on":true}',
        socket_id: client.socketId,
        user_id: 'ann',
      },
      { name: 'member_removed', channel: room, user_id: 'ann' },
      { name: 'channel_vacated', channel: room },
    ]);
    expect(toldOf('cache-news')).toEqual([
      { name: 'channel_occupied', channel: 'cache-news' },
      { name: 'subscription_count', channel: 'cache-news', subscription_count: 1 },
      { name: 'cache_miss', channel: 'cache-news' },
      { name: 'subscription_count', channel: 'cache-news', subscription_count: 0 },
      { name: 'channel_vacated', channel: 'cache-news' },
    ]);
    expect(new Set(journal.events.map(({ name }) => name))).toEqual(new Set(everyKind));
    expect(problemsOf(journal, { kinds: everyKind })).toEqual([]);
  });

  it('tells nothing of a leave with a return inside the grace', async () => {
    const target = await start([{ url: receiver.url }], { graceMs: 1_000 });
    const first = await connect(target);
    await join(first, 'ann');
    first.unsubscribe(room);
    await join(first, 'ann');
    first.terminate();
    await join(await connect(target), 'ann');
    await untilTold(target);
    expect(receiver.journal.told(room)).toEqual(['channel_occupied', 'member_added ann']);
    expect(foldOf(receiver.journal.events)).toEqual({ [room]: ['ann'] });
  });

  it('tells a leave without a return once the grace is over, members before their channel', async () => {
    const target = await start([{ url: receiver.url }]);
    const client = await connect(target);
    await join(client, 'ann');
    client.terminate();
    await untilTold(target);
    expect(receiver.journal.told(room)).toEqual([
      'channel_occupied',
      'member_added ann',
      'member_removed ann',
      'channel_vacated',
    ]);
  });

  it('tells channel_vacated once when many sockets of one channel leave in one batch', async () => {
    const target = await start([{ url: receiver.url }], { graceMs: 0 });
    const clients = await Promise.all(Array.from({ length: 100 }, () => connect(target)));
    await Promise.all(clients.map((client, index) => join(client, `user-${index % 50}`)));
    await Promise.all(clients.map((client) => client.subscribed('plain')));
    for (const client of clients) client.terminate();
    await untilTold(target);
    const { journal } = receiver;
    expect(journal.told('plain')).toEqual(['channel_occupied', 'channel_vacated']);
    expect(journal.told(room).filter((told) => told === 'channel_vacated')).toHaveLength(1);
    expect(journal.told(room)).toHaveLength(2 + 2 * 50);
    expect(problemsOf(journal)).toEqual([]);
  });

  it('sends each endpoint what it asked for and nothing else', async () => {
    const kinds = ['member_added', 'member_removed'];
    const target = await start([
      { url: receiver.url },
      { url: second.url, events: kinds, channels: { startsWith: 'presence-', endsWith: 'm' } },
    ]);
    const client = await connect(target);
    await join(client, 'ann');
    await join(client, 'ann', 'presence-hall');
    await client.subscribed('plain');
    await client.close();
    await untilTold(target);
    await second.journal.until(({ eventCount }) => eventCount === 2);
    expect(second.journal.told()).toEqual(['member_added ann', 'member_removed ann']);
    expect(problemsOf(second.journal, { kinds, ownsChannel: (channel) => channel === room })).toEqual([]);
    expect(receiver.journal.events.map(({ channel }) => channel)).toEqual(
      expect.arrayContaining([room, 'presence-hall', 'plain', 'last']),
    );
    expect(problemsOf(receiver.journal)).toEqual([]);
  });

  it('sends one event in each request where batching is off', async () => {
    const target = await start([{ url: receiver.url, batching: false }]);
    const clients = await Promise.all(Array.from({ length: 5 }, () => connect(target)));
    await Promise.all(clients.map((client, index) => join(client, `user-${index}`)));
    for (const client of clients) client.terminate();
    await untilTold(target);
    const { journal } = receiver;
    expect(journal.attempts.map(({ events }) => events.length)).toEqual(journal.attempts.map(() => 1));
    expect(journal.told(room)).toHaveLength(12);
    expect(problemsOf(journal)).toEqual([]);
  });

  it('signs for each app with its own secret and never mixes apps', async () => {
    const target = await start([{ url: receiver.url }]);
    const [ours, other] = await Promise.all([connect(target), connect({ ...target, ...otherApp })]);
    await Promise.all([ours.subscribed('ours'), other.subscribed('theirs')]);
    await Promise.all([ours.close(), other.close()]);
    await untilTold(target);
    await theirs.journal.until(({ eventCount }) => eventCount === 2);
    expect(theirs.journal.told('theirs')).toEqual(['channel_occupied', 'channel_vacated']);
    expect(receiver.journal.told('ours')).toEqual(['channel_occupied', 'channel_vacated']);
    expect([receiver.journal.told('theirs'), theirs.journal.told('ours')]).toEqual([[], []]);
    expect([problemsOf(receiver.journal), problemsOf(theirs.journal)]).toEqual([[], []]);
  });

  it('does not follow a redirect, and delivers when the endpoint is where it was', async () => {
    const target = await start([{ url: receiver.url }]);
    await receiver.behave({ kind: 'redirect' });
    const client = await connect(target);
    await client.subscribed('plain');
    await receiver.journal.until(({ attempts }) => attempts.length > 0);
    await receiver.behave({ kind: 'ok' });
    await receiver.journal.until(({ eventCount }) => eventCount === 1);
    expect(receiver.strays).toEqual([]);
    expect(problemsOf(receiver.journal)).toEqual([]);
  });
});
