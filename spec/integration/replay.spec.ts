import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TestApi } from '../support/api.ts';
import { closeClients, connect, type TestClient } from '../support/client.ts';
import type { ToldEvent } from '../support/journal.ts';
import { seededRandom } from '../support/late-stores.ts';
import {
  LifecycleFold,
  type LifecyclePayload,
  type PageAnswer,
  type SnapshotAnswer,
} from '../support/lifecycle-fold.ts';
import { ok, type Receiver, startReceiver } from '../support/receiver.ts';
import { otherApp, startTestServer, testApp, type TestServer } from '../support/server.ts';

const token = 'open-sesame';
let receiver: Receiver;
let server: TestServer;
let api: TestApi;

beforeEach(async () => {
  receiver = await startReceiver(testApp);
  server = await startTestServer({
    config: { admin: { token }, webhooks: { graceMs: 20, batchWindowMs: 5 } },
    app: { webhooks: [{ id: 'orders', url: receiver.url }], presence: { maxMembers: 0 } },
  });
  api = new TestApi(server);
});
afterEach(async () => {
  closeClients();
  api.close();
  await server.stop();
  await receiver.stop();
});

async function admin(path: string, body?: object): Promise<Readonly<Record<string, unknown>>> {
  const answer = await fetch(`http://127.0.0.1:${server.adminPort}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  expect(answer.status).toBe(200);
  return (await answer.json()) as Readonly<Record<string, unknown>>;
}

/** Occupied channels with their members as the HTTP API tells them, both in order of name. */
async function liveState(): Promise<LifecycleFold['state']> {
  const { json } = await api.get('/channels');
  const names = Object.keys((json as { channels: object }).channels).sort();
  return Promise.all(
    names.map(async (name) => {
      if (!name.startsWith('presence-')) return [name, []] as const;
      const answer = await api.get(`/channels/${name}/users`);
      const { users } = answer.json as { users: { id: string }[] };
      return [name, users.map(({ id }) => id).sort()] as const;
    }),
  );
}

const isDelivered = (name: string, channel: string, user?: string) => (journal: Receiver['journal']) =>
  journal.events.some(
    (event) =>
      event.name === name && event.channel === channel && (user === undefined || event.user_id === user),
  );

describe('a snapshot and the stream behind it', () => {
  const seed = Number(process.env['SPILLWAY_SPEC_SEED'] ?? 42);

  it(`fold to what is, however sockets come and go in between, seed ${seed}`, async () => {
    const random = seededRandom(seed);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
    const channels = ['presence-a', 'presence-b', 'room', 'presence-c'];
    const clients: { user: string; client: TestClient; joined: Set<string> }[] = [];
    const users = ['ada', 'bob', 'eve', 'ada', 'bob', 'joe'];
    const reconnect = async (index: number): Promise<void> => {
      clients[index]?.client.terminate();
      clients[index] = { user: users[index]!, client: await connect(server), joined: new Set() };
    };
    const churn = async (steps: number): Promise<void> => {
      for (let step = 0; step < steps; step++) {
        const index = Math.floor(random() * users.length);
        if (random() < 0.1) await reconnect(index);
        const { user, client, joined } = clients[index]!;
        const channel = pick(channels);
        if (joined.delete(channel)) client.unsubscribe(channel);
        else {
          joined.add(channel);
          await client.subscribed(channel, channel.startsWith('presence-') ? { user_id: user } : undefined);
        }
      }
    };
    for (const index of users.keys()) await reconnect(index);
    await churn(40);

    const snapshot = (await api.get('/lifecycle/snapshot')).json as SnapshotAnswer;
    const fold = new LifecycleFold(snapshot);
    let { position } = snapshot;
    const read = async (limit: number): Promise<boolean> => {
      const { status, json } = await api.get('/lifecycle', { after: position, limit: String(limit) });
      expect(status).toBe(200);
      const page = json as PageAnswer;
      for (const event of page.events) fold.apply(event);
      position = page.position;
      return page.has_more;
    };
    for (let round = 0; round < 10; round++) await Promise.all([churn(15), read(7)]);

    // A last leave of each kind: when the endpoint was told of it, everything before it was told.
    const last = await connect(server);
    await last.subscribed('presence-last', { user_id: 'last' });
    await Promise.all(clients.map(({ client }) => client.drain()));
    await last.close();
    await receiver.journal.until(isDelivered('channel_vacated', 'presence-last'));
    while (await read(3));
    expect(fold.state).toEqual(await liveState());
    expect(new LifecycleFold({ channels: [] }).state).toEqual([]);
    expect(foldOf(receiver.journal.events).state).toEqual(fold.state);
  });

  it('is gone for a position of another server', async () => {
    const other = await startTestServer({ app: { webhooks: [{ url: receiver.url }] } });
    const otherApi = new TestApi(other);
    const { position } = (await otherApi.get('/lifecycle/snapshot')).json as SnapshotAnswer;
    otherApi.close();
    await other.stop();
    const { status, json } = await api.get('/lifecycle', { after: position });
    expect([status, json]).toMatchObject([410, { code: 'lifecycle.gone' }]);
  });

  it('is off for an app that has no endpoint, with what to do', async () => {
    const { id: appId, key, secret } = otherApp;
    const otherApi = new TestApi({ port: server.port, appId, key, secret });
    const { position } = (await otherApi.get('/lifecycle/snapshot')).json as SnapshotAnswer;
    const { status, json } = await otherApi.get('/lifecycle', { after: position });
    otherApi.close();
    expect([status, json]).toMatchObject([409, { code: 'lifecycle.off' }]);
  });
});

describe('an operator', () => {
  it('finds what was delivered, and replays it by id, channel and time under the same ids', async () => {
    const startedMs = Date.now();
    const client = await connect(server);
    await client.subscribed('presence-x', { user_id: 'ada' });
    await client.subscribed('room');
    await receiver.journal.until((journal) => journal.eventCount === 3);
    await untilUndelivered(0);
    const first = receiver.journal.taken.length;

    const added = receiver.journal.events.find(({ name }) => name === 'member_added');
    const id = added?.id ?? '';
    expect(await admin(`/webhooks/events/${id}?app=${testApp.id}`)).toMatchObject({
      event: { id, name: 'member_added', channel: 'presence-x', user_id: 'ada' },
      deliveries: [{ endpoint: 'orders', state: 'delivered' }],
    });

    const again = async (which: object, replayed: number): Promise<readonly string[]> => {
      const before = receiver.journal.taken.length;
      const order = { app: testApp.id, ...which };
      expect(await admin('/webhooks/replay', order)).toMatchObject({ endpoints: ['orders'], replayed });
      const sent = (): readonly ToldEvent[] =>
        receiver.journal.taken.slice(before).flatMap(({ events }) => events);
      await receiver.journal.until(() => sent().length >= replayed);
      return sent().map((event) => event.id);
    };
    const ids = receiver.journal.events.map((event) => event.id);
    const inChannel = receiver.journal.events.filter(({ channel }) => channel === 'presence-x');
    expect(await again({ id }, 1)).toEqual([id]);
    expect(await again({ channel: 'presence-x' }, 2)).toEqual(inChannel.map((event) => event.id));
    expect([...(await again({ from: startedMs, endpoint: 'orders' }, 3))].sort()).toEqual([...ids].sort());

    const { taken } = receiver.journal;
    const batches = taken.map(({ webhookId }) => webhookId);
    expect(new Set(batches).size).toBe(batches.length);
    expect(taken.slice(first).flatMap(({ objections }) => objections)).toEqual([]);
  });

  it('sees an endpoint paused by its 410, and resumes it with nothing lost', async () => {
    await receiver.behave({ kind: 'status', status: 410 });
    const client = await connect(server);
    await client.subscribed('room');
    await server.log.waitFor('webhook.paused');
    expect(await admin('/webhooks')).toMatchObject({
      endpoints: [{ app: testApp.id, id: 'orders', state: 'paused', undelivered: 1 }],
    });
    const attempts = receiver.journal.attempts.length;
    await client.subscribed('presence-x', { user_id: 'ada' });
    await untilUndelivered(3);
    expect(receiver.journal.attempts).toHaveLength(attempts);

    await receiver.behave(ok);
    expect(await admin('/webhooks/retry', { app: testApp.id })).toEqual({
      endpoints: ['orders'],
      replayed: 0,
    });
    await receiver.journal.until((journal) => journal.eventCount === 3);
    await untilUndelivered(0);
    expect(receiver.journal.told()).toHaveLength(3);
    expect(await admin('/webhooks')).toMatchObject({ endpoints: [{ state: 'closed', undelivered: 0 }] });
  });
});

/** What the endpoint took, folded. */
function foldOf(events: readonly ToldEvent[]): LifecycleFold {
  const fold = new LifecycleFold({ channels: [] });
  for (const event of events) fold.apply(event as unknown as LifecyclePayload);
  return fold;
}

/** The acknowledgement is a little later than the receiver's answer: asks until it is there. */
async function untilUndelivered(count: number): Promise<void> {
  for (;;) {
    const { endpoints } = (await admin('/webhooks')) as { endpoints: { undelivered: number }[] };
    if (endpoints[0]?.undelivered === count) return;
  }
}
