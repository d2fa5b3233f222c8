import { beforeAll, expect, it } from '@jest/globals';
import { connect, type Frame } from '../support/client.ts';
import { eventsOf, overEveryStore, room, type Started, wire } from './each-store.ts';

const succeeded = 'pusher_internal:subscription_succeeded';
const cacheMiss = 'pusher:cache_miss';

overEveryStore((start) => {
  let server: Started;
  beforeAll(async () => {
    server = await start();
  });

  /** What a new subscriber is given right after its success. */
  async function replayed(channel: string, channelData?: object): Promise<Frame> {
    const client = await connect(server);
    client.subscribe(channel, channelData);
    expect((await client.next()).event).toBe(succeeded);
    return client.next();
  }

  /** Publishes and waits until the event has reached a subscriber: then the store has it too. */
  async function published(channel: string, event: string, data: string): Promise<void> {
    const witness = await connect(server);
    await witness.subscribed(channel, channel.startsWith('presence-') ? { user_id: 'witness' } : undefined);
    await server.api.trigger(channel, event, data);
    let frame = await witness.waitFor(event, channel);
    while (frame.data !== data) frame = await witness.waitFor(event, channel);
    await witness.close();
  }

  /** Waits until the HTTP API shows this data as the cached one. */
  async function kept(channel: string, data: string): Promise<void> {
    for (;;) {
      const { json } = await server.api.get(`/channels/${channel}`, { info: 'cache' });
      if ((json as { cache: { data: string } | null }).cache?.data === data) return;
    }
  }

  it.each(['cache-', 'private-cache-', 'private-encrypted-cache-', 'presence-cache-'])(
    '3.4 a new subscriber of %s is given the last event verbatim, with its name and channel',
    async (prefix) => {
      const channel = room(prefix);
      const data = '{ "a" : 1.0, "é":"\\u00e9" }';
      await published(channel, 'first', 'old');
      await published(channel, 'App\\Events\\Second', data);
      const member = prefix.startsWith('presence-') ? { user_id: 'a' } : undefined;
      const expected = { event: 'App\\Events\\Second', channel, data };
      expect(wire(await replayed(channel, member))).toEqual(expected);
      expect(wire(await replayed(channel, member))).toEqual(expected);
    },
  );

  it('3.4 an empty channel gives cache_miss', async () => {
    const channel = room('cache-');
    expect(wire(await replayed(channel))).toEqual({ event: cacheMiss, channel, data: '{}' });
  });

  it('3.4 every subscriber of an empty channel is told', async () => {
    const channel = room('cache-');
    expect((await replayed(channel)).event).toBe(cacheMiss);
    expect((await replayed(channel)).event).toBe(cacheMiss);
  });

  it('3.4 an event without data is an event', async () => {
    const channel = room('cache-');
    await published(channel, 'empty', '');
    expect(wire(await replayed(channel))).toEqual({ event: 'empty', channel, data: '' });
  });

  it('3.4 excluding a connection does not prevent caching', async () => {
    const channel = room('cache-');
    const client = await connect(server);
    await client.subscribed(channel);
    await server.api.trigger(channel, 'kept', 'x', { socket_id: client.socketId });
    await kept(channel, 'x');
    expect((await replayed(channel)).event).toBe('kept');
    expect(eventsOf(await client.drain())).not.toContain('kept');
  });

  it('3.4 the cache survives vacancy', async () => {
    const channel = room('cache-');
    await published(channel, 'kept', 'x');
    const client = await connect(server);
    await client.subscribed(channel);
    await client.close();
    await server.log.waitFor('channel.vacated', (vacated) => vacated.channel === channel);
    expect((await replayed(channel)).event).toBe('kept');
  });

  it('3.4 an event published while nobody listens is kept', async () => {
    const channel = room('cache-');
    await server.api.trigger(channel, 'kept', 'x');
    await kept(channel, 'x');
    expect((await replayed(channel)).event).toBe('kept');
  });

  it('3.4 subscribing again replays again', async () => {
    const channel = room('cache-');
    await published(channel, 'kept', 'x');
    const client = await connect(server);
    for (let round = 0; round < 3; round++) {
      client.subscribe(channel);
      client.unsubscribe(channel);
    }
    expect(eventsOf(await client.drain())).toEqual([succeeded, 'kept', succeeded, 'kept', succeeded, 'kept']);
  });

  it('3.4 protocol frames and client events are not cached', async () => {
    const channel = room('presence-cache-');
    const [one, other] = [await connect(server), await connect(server)];
    await one.subscribed(channel, { user_id: 'a' });
    await other.subscribed(channel, { user_id: 'b' });
    one.send({ event: 'client-x', channel, data: 'x' });
    await other.waitFor('client-x');
    await other.close();
    await one.waitFor('pusher_internal:member_removed');
    expect((await replayed(channel, { user_id: 'c' })).event).toBe(cacheMiss);
    await server.api.trigger(channel, 'kept', 'x');
    await one.waitFor('kept');
    one.send({ event: 'client-x', channel, data: 'x' });
    await one.drain();
    expect((await replayed(channel, { user_id: 'd' })).event).toBe('kept');
  });

  it('3.4 channels of other kinds keep nothing', async () => {
    const channel = room('private-');
    await server.api.trigger(channel, 'gone', 'x');
    const client = await connect(server);
    client.subscribe(channel);
    expect(eventsOf(await client.drain())).toEqual([succeeded]);
  });

  it('3.4 every channel of a request keeps the event, and every item of a batch', async () => {
    const channels = [room('cache-'), room('cache-'), room('cache-')];
    await server.api.trigger(channels.slice(0, 2), 'many', 'x');
    const batch = channels.map((channel) => ({ channel, name: 'batched', data: channel }));
    await server.api.post('/batch_events', { batch });
    for (const channel of channels) await kept(channel, channel);
    for (const channel of channels) expect((await replayed(channel)).data).toBe(channel);
  });

  it('3.4 the cache of one channel is not another one’s', async () => {
    const channel = room('cache-');
    await published(channel, 'kept', 'x');
    expect((await replayed(`private-${channel}`)).event).toBe(cacheMiss);
  });

  it('3.4 the cached event expires', async () => {
    const forgetful = await start({ config: { cache: { ttlSeconds: 1 } } });
    const channel = room('cache-');
    await forgetful.api.trigger(channel, 'kept', 'x');
    for (;;) {
      const client = await connect(forgetful);
      client.subscribe(channel);
      const events = eventsOf(await client.drain());
      client.terminate();
      if (events.includes(cacheMiss)) break;
    }
    expect((await forgetful.api.get(`/channels/${channel}`, { info: 'cache' })).json).toEqual({
      occupied: expect.any(Boolean),
      cache: null,
    });
  });

  it('3.4 the HTTP API shows the cached event and its time to live', async () => {
    const channel = room('cache-');
    const shown = async (): Promise<unknown> =>
      (await server.api.get(`/channels/${channel}`, { info: 'cache' })).json;
    expect(await shown()).toEqual({ occupied: false, cache: null });
    await published(channel, 'kept', '{"a":1}');
    expect(await shown()).toMatchObject({ cache: { data: '{"a":1}', ttl: expect.any(Number) } });
    const { cache } = (await shown()) as { cache: { ttl: number } };
    expect(cache.ttl).toBeGreaterThan(1790);
    expect(cache.ttl).toBeLessThanOrEqual(1800);
  });
});
