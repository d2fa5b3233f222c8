import { beforeAll, describe, expect, it } from '@jest/globals';
import { connect, type TestClient } from '../support/client.ts';
import { dataOf, eventsOf, overEveryStore, room, type Start, type Started, wire } from './each-store.ts';

const succeeded = 'pusher_internal:subscription_succeeded';
const subscriptionCount = 'pusher_internal:subscription_count';
const cacheMiss = 'pusher:cache_miss';

overEveryStore((start) => {
  describe('names', () => names(start));
  describe('public, private and encrypted', () => kinds(start));
  describe('subscription_count', () => counts(start));
  describe('server to user', () => serverToUser(start));
});

/** Which events answer a subscribe without any signature. */
async function answersTo(client: TestClient, channel: string): Promise<readonly string[]> {
  client.send({ event: 'pusher:subscribe', data: { channel, auth: '' } });
  return eventsOf(await client.drain());
}

function names(start: Start): void {
  let server: Started;
  beforeAll(async () => {
    server = await start();
  });

  it.each([
    'a',
    '0',
    'AZaz09_-=@,.;',
    '-',
    '.',
    '__proto__',
    'constructor',
    'a'.repeat(164),
    'a'.repeat(200),
  ])('3.1 a valid name is accepted: %s', async (channel) => {
    expect(await answersTo(await connect(server), channel)).toEqual([succeeded]);
    expect((await server.api.trigger(channel, 'x', '')).status).toBe(200);
  });

  it.each([
    '',
    ' ',
    'a b',
    'ä',
    'a/b',
    'a:b',
    'a#b',
    'a!',
    'a*',
    'a\n',
    '\na',
    'a\u0000',
    '☃',
    'a'.repeat(201),
  ])('3.1 an invalid name is refused: %j', async (channel) => {
    expect(await answersTo(await connect(server), channel)).toEqual([
      'pusher:subscription_error',
      'pusher:error',
    ]);
    expect((await server.api.trigger(channel, 'x', '')).status).toBe(400);
  });

  it.each(['#', '#x', '#server-to-user', '#server-to-user-', '#Server-To-User-a', 'x#server-to-user-a'])(
    '3.1 # is reserved for #server-to-user-ID: %s',
    async (channel) => {
      expect(await answersTo(await connect(server), channel)).toContain('pusher:error');
      expect((await server.api.trigger(channel, 'x', '')).status).toBe(400);
    },
  );

  it.each(['private-', 'private-cache-', 'private-encrypted-', 'private-encrypted-cache-'])(
    '3.1 %s needs a signature',
    async (prefix) => {
      const client = await connect(server);
      const channel = room(prefix);
      expect(await answersTo(client, channel)).toContain('pusher:subscription_error');
      expect(await client.subscribed(channel)).toEqual({});
    },
  );

  it.each(['presence-', 'presence-cache-', 'presence-encrypted-', 'presence-encrypted-cache-'])(
    '3.1 %s needs a signature and a member',
    async (prefix) => {
      const client = await connect(server);
      const channel = room(prefix);
      expect(await answersTo(client, channel)).toContain('pusher:subscription_error');
      client.subscribe(channel);
      await client.waitFor('pusher:error');
      expect(await client.subscribed(channel, { user_id: 'a' })).toMatchObject({ presence: { count: 1 } });
    },
  );

  it.each([
    'my-private-x',
    'privateer',
    'private',
    'Private-x',
    'PRESENCE-x',
    'presenceless',
    'presence',
    'x-presence-y',
    'encrypted-private-x',
    'cache-private-x',
  ])('3.1 prefixes are anchored and case-sensitive: %s is public', async (channel) => {
    expect((await answersTo(await connect(server), channel)).at(0)).toBe(succeeded);
  });

  it.each(['cache-', 'private-cache-', 'private-encrypted-cache-', 'presence-cache-'])(
    '3.1 %s is a cache channel',
    async (prefix) => {
      const client = await connect(server);
      const channel = room(prefix);
      client.subscribe(channel, prefix.startsWith('presence-') ? { user_id: 'a' } : undefined);
      expect(eventsOf(await client.drain())).toEqual([succeeded, cacheMiss]);
    },
  );

  it.each(['cached-', 'cache', 'my-cache-', 'private-encrypted-', 'presence-encrypted-cache-', 'Cache-'])(
    '3.1 %s is no cache channel',
    async (prefix) => {
      const client = await connect(server);
      const channel = room(prefix);
      client.subscribe(channel, prefix.startsWith('presence-') ? { user_id: 'a' } : undefined);
      expect(eventsOf(await client.drain())).toEqual([succeeded]);
    },
  );

  it('3.1 a bare prefix is a name', async () => {
    const client = await connect(server);
    await client.subscribed('private-');
    await client.subscribed('presence-', { user_id: 'a' });
    await client.subscribed('cache-');
  });
}

function kinds(start: Start): void {
  let server: Started;
  beforeAll(async () => {
    server = await start();
  });

  it('3.2 a payload of an encrypted channel is relayed byte for byte', async () => {
    const client = await connect(server);
    const channel = room('private-encrypted-');
    await client.subscribed(channel);
    const data =
      '{ "nonce":"4sVYwy4j/8dCcjyxtPCWyk19GaaViaW9","ciphertext":"/GMESnFGlbNn01BuBjp31XYa3i9vZsGKR8fgR9EDhXKx" }';
    await server.api.trigger(channel, 'secret', data);
    expect(wire(await client.waitFor('secret'))).toEqual({ event: 'secret', channel, data });
  });

  it('3.2 an encrypted channel is published to alone', async () => {
    const client = await connect(server);
    const [encrypted, other] = [room('private-encrypted-'), room()];
    await client.subscribed(other);
    const answer = await server.api.trigger([other, encrypted], 'both', '');
    expect(answer.status).toBe(400);
    expect(answer.json).toMatchObject({
      error: 'Expected channels parameter to be one channel only when it is encrypted',
    });
    await server.api.trigger(other, 'alone', '');
    expect(eventsOf(await client.until('alone'))).toEqual(['alone']);
  });

  it('3.2 the shared secret of an encrypted channel is not signed', async () => {
    const client = await connect(server);
    const channel = room('private-encrypted-');
    const auth = client.signChannel(channel);
    client.send({ event: 'pusher:subscribe', data: { channel, auth, shared_secret: 'c2VjcmV0' } });
    expect((await client.next()).event).toBe(succeeded);
  });

  it('3.2 channel_data of a channel without members is not signed', async () => {
    const client = await connect(server);
    const channel = room('private-');
    const auth = client.signChannel(channel);
    client.send({ event: 'pusher:subscribe', data: { channel, auth, channel_data: '{"user_id":"a"}' } });
    expect((await client.next()).event).toBe(succeeded);
  });
}

function counts(start: Start): void {
  let server: Started;
  beforeAll(async () => {
    server = await start({ app: { subscriptionCount: true } });
  });

  async function nextCount(client: TestClient): Promise<number> {
    const frame = await client.waitFor(subscriptionCount);
    return (dataOf(frame) as { subscription_count: number }).subscription_count;
  }

  /** Waits for a count; counts on the way to it are fine. */
  async function countReached(client: TestClient, count: number): Promise<void> {
    while ((await nextCount(client)) !== count);
  }

  it('3.5 off by default', async () => {
    const plain = await start();
    const [one, other] = [await connect(plain), await connect(plain)];
    const channel = room();
    await one.subscribed(channel);
    await other.subscribed(channel);
    await other.close();
    await plain.log.waitFor('subscription.closed');
    await plain.api.trigger(channel, 'last', '');
    expect(eventsOf(await one.until('last'))).toEqual(['last']);
    expect((await plain.api.get(`/channels/${channel}`, { info: 'subscription_count' })).status).toBe(400);
  });

  it.each(['', 'private-', 'private-encrypted-', 'cache-'])(
    '3.5 every subscriber of a %s channel is told of every change',
    async (prefix) => {
      const channel = room(prefix);
      const clients = [await connect(server), await connect(server), await connect(server)] as const;
      for (const [index, client] of clients.entries()) {
        await client.subscribed(channel);
        for (const told of clients.slice(0, index + 1)) await countReached(told, index + 1);
      }
      clients[2].unsubscribe(channel);
      for (const told of clients.slice(0, 2)) expect(await nextCount(told)).toBe(2);
      clients[1].terminate();
      expect(await nextCount(clients[0])).toBe(1);
    },
  );

  it('3.5 the new subscriber is told after its success', async () => {
    const client = await connect(server);
    const channel = room();
    client.subscribe(channel);
    expect(eventsOf(await client.until(subscriptionCount))).toEqual([succeeded, subscriptionCount]);
  });

  it('3.5 connections are counted, not users', async () => {
    const channel = room();
    const clients = [await connect(server), await connect(server)] as const;
    for (const client of clients) {
      client.signin({ id: 'same' });
      await client.subscribed(channel);
    }
    await countReached(clients[1], 2);
  });

  it('3.5 never on presence channels', async () => {
    const [one, other] = [await connect(server), await connect(server)];
    const channel = room('presence-');
    await one.subscribed(channel, { user_id: 'a' });
    await other.subscribed(channel, { user_id: 'b' });
    await other.close();
    const frames = await one.until('pusher_internal:member_removed');
    await server.api.trigger(channel, 'last', '');
    expect(eventsOf([...frames, ...(await one.until('last'))])).not.toContain(subscriptionCount);
  });

  it('3.5 never on a channel of a user', async () => {
    const client = await connect(server);
    client.signin({ id: 'ann' });
    await client.subscribed('#server-to-user-ann');
    expect(await client.drain()).toEqual([]);
  });

  it('3.5 above 100 subscribers the counts are throttled, and the last one comes', async () => {
    const channel = room();
    const witness = await connect(server);
    await witness.subscribed(channel);
    const others = await Promise.all(Array.from({ length: 129 }, () => connect(server)));
    for (const other of others) other.subscribe(channel);
    const told: number[] = [];
    while (told.at(-1) !== 130) told.push(await nextCount(witness));
    expect(told).toEqual([...told].sort((a, b) => a - b));
    expect(told.filter((count) => count > 100).length).toBeLessThanOrEqual(3);
    const toldAtMs = performance.now();
    others.at(-1)?.terminate();
    await countReached(witness, 129);
    expect(performance.now() - toldAtMs).toBeGreaterThan(4_000);
  }, 15_000);
}

function serverToUser(start: Start): void {
  let server: Started;
  beforeAll(async () => {
    server = await start({ app: { subscriptionCount: true } });
  });

  async function signedIn(id: string): Promise<TestClient> {
    const client = await connect(server);
    client.signin({ id });
    await client.waitFor('pusher:signin_success');
    return client;
  }

  it('3.6 a signed-in user subscribes without a signature', async () => {
    const client = await signedIn('ann');
    expect(await answersTo(client, '#server-to-user-ann')).toEqual([succeeded]);
  });

  it.each(['ben', 'Ann', 'ann2', 'an'])(
    '3.6 only exactly that user may subscribe: %s may not',
    async (other) => {
      const client = await signedIn(other);
      client.send({ event: 'pusher:subscribe', data: { auth: '', channel: '#server-to-user-ann' } });
      expect(dataOf(await client.next())).toEqual({
        type: 'AuthError',
        error: 'Channel #server-to-user-ann is only for the signed-in user it names: sign in first',
        status: 403,
      });
      expect((await client.next()).event).toBe('pusher:error');
    },
  );

  it('3.6 a connection that is not signed in may not subscribe', async () => {
    const answers = await answersTo(await connect(server), '#server-to-user-ann');
    expect(answers).toEqual(['pusher:subscription_error', 'pusher:error']);
  });

  it('3.6 a signature does not replace the sign-in', async () => {
    const client = await connect(server);
    const channel = '#server-to-user-ann';
    client.send({ event: 'pusher:subscribe', data: { auth: client.signChannel(channel), channel } });
    expect((await client.next()).event).toBe('pusher:subscription_error');
  });

  it('3.6 the HTTP API publishes to a user: every connection of it, no other', async () => {
    const [one, two, other] = [await signedIn('ann'), await signedIn('ann'), await signedIn('ben')];
    for (const client of [one, two]) await client.subscribed('#server-to-user-ann');
    await other.subscribed('#server-to-user-ben');
    expect((await server.api.trigger('#server-to-user-ann', 'news', 'hi')).json).toEqual({});
    await server.api.trigger('#server-to-user-ben', 'last', '');
    for (const client of [one, two]) {
      expect(wire(await client.waitFor('news'))).toEqual({
        event: 'news',
        channel: '#server-to-user-ann',
        data: 'hi',
      });
    }
    expect(eventsOf(await other.until('last'))).toEqual(['last']);
  });

  it('3.6 ids of every allowed character have a channel', async () => {
    const id = 'aZ09_-=@,.;';
    const client = await signedIn(id);
    await client.subscribed(`#server-to-user-${id}`);
    const longest = 'x'.repeat(200);
    await (await signedIn(longest)).subscribed(`#server-to-user-${longest}`);
  });

  it('3.6 client events on it are refused', async () => {
    const client = await signedIn('ann');
    await client.subscribed('#server-to-user-ann');
    client.send({ event: 'client-x', channel: '#server-to-user-ann', data: '' });
    expect((await client.next()).data).toEqual({
      code: null,
      message: 'Client events are only for private and presence channels, not #server-to-user-ann',
    });
  });

  it('3.6 it is left like any channel', async () => {
    const client = await signedIn('ann');
    await client.subscribed('#server-to-user-ann');
    client.unsubscribe('#server-to-user-ann');
    expect(await client.drain()).toEqual([]);
    await client.subscribed('#server-to-user-ann');
  });

  it('3.6 it is hidden from the channel list and has no occupancy', async () => {
    const client = await signedIn('hidden');
    await client.subscribed('#server-to-user-hidden');
    const { channels } = (await server.api.get('/channels')).json as { channels: object };
    expect(Object.keys(channels)).not.toContain('#server-to-user-hidden');
    const shown = await server.api.call('GET', '/apps/app-1/channels/%23server-to-user-hidden');
    expect(shown.json).toEqual({ occupied: false });
    await client.close();
    const occupied = server.log.all('channel.occupied').map(({ channel }) => channel);
    expect(occupied).not.toContain('#server-to-user-hidden');
  });
}
