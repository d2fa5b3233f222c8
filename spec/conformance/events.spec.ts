import { beforeAll, describe, expect, it } from '@jest/globals';
import { connect, type Frame, type TestClient } from '../support/client.ts';
import {
  dataOf,
  eventsOf,
  oneNode,
  overEveryStore,
  room,
  type Start,
  type Started,
  wire,
} from './each-store.ts';

const succeeded = 'pusher_internal:subscription_succeeded';
const memberAdded = 'pusher_internal:member_added';
const memberRemoved = 'pusher_internal:member_removed';
const subscriptionCount = 'pusher_internal:subscription_count';
const watchlistEvents = 'pusher_internal:watchlist_events';
const subscriptionError = 'pusher:subscription_error';
const cacheMiss = 'pusher:cache_miss';

/** The error frame as the hosted service sends it for a connection that stays open. */
function errorFrame(message: unknown, code: number | null = null): unknown {
  return { event: 'pusher:error', data: { code, message } };
}

overEveryStore((start) => {
  describe('what data is', () => shapes(start));
  describe('subscribe', () => subscribe(start));
  describe('order', () => order(start));
  describe('errors', () => errors(start));
  describe('names', () => names(start));
});

function shapes(start: Start): void {
  let server: Started;
  beforeAll(async () => {
    server = await start({ app: { subscriptionCount: true, watchlist: true } });
  });

  it('2.1 subscription_succeeded of a channel without members carries the string {}', async () => {
    const client = await connect(server);
    const channel = room();
    client.subscribe(channel);
    expect(wire(await client.next())).toEqual({ event: succeeded, channel, data: '{}' });
  });

  it('2.1 subscription_succeeded of a presence channel carries its members as a string', async () => {
    const client = await connect(server);
    const channel = room('presence-');
    client.subscribe(channel, { user_id: 'u', user_info: { name: 'U' } });
    const frame = await client.next();
    expect(wire(frame)).toEqual({ event: succeeded, channel, data: expect.any(String) });
    expect(dataOf(frame)).toEqual({ presence: { count: 1, ids: ['u'], hash: { u: { name: 'U' } } } });
  });

  it('2.1 pusher:error carries an object with message and code', async () => {
    const client = await connect(server);
    client.sendText('nonsense');
    expect(wire(await client.next())).toEqual(errorFrame(expect.any(String)));
  });

  it('2.1 pusher:pong carries the string {}', async () => {
    const client = await connect(server);
    client.send({ event: 'pusher:ping', data: {} });
    expect(wire(await client.next())).toEqual({ event: 'pusher:pong', data: '{}' });
  });

  it('2.1 subscription_error carries type, error and status as a string', async () => {
    const client = await connect(server);
    const channel = room('private-');
    client.send({ event: 'pusher:subscribe', data: { channel, auth: '' } });
    const frame = await client.next();
    expect(wire(frame)).toEqual({ event: subscriptionError, channel, data: expect.any(String) });
    expect(dataOf(frame)).toEqual({
      type: 'AuthError',
      error: `Auth info required to subscribe to ${channel}`,
      status: 401,
    });
  });

  it('2.1 member_added carries user_id and user_info as a string', async () => {
    const first = await connect(server);
    const second = await connect(server);
    const channel = room('presence-');
    await first.subscribed(channel, { user_id: 'a' });
    await second.subscribed(channel, { user_id: 'b', user_info: { name: 'B', tags: [1, null] } });
    const frame = await first.waitFor(memberAdded);
    expect(wire(frame)).toEqual({ event: memberAdded, channel, data: expect.any(String) });
    expect(dataOf(frame)).toEqual({ user_id: 'b', user_info: { name: 'B', tags: [1, null] } });
  });

  it('2.1 member_removed carries user_id as a string', async () => {
    const first = await connect(server);
    const second = await connect(server);
    const channel = room('presence-');
    await first.subscribed(channel, { user_id: 'a' });
    await second.subscribed(channel, { user_id: 'b', user_info: { name: 'B' } });
    await second.close();
    const frame = await first.waitFor(memberRemoved);
    expect(wire(frame)).toEqual({ event: memberRemoved, channel, data: '{"user_id":"b"}' });
  });

  it('2.1 subscription_count carries an integer in a string', async () => {
    const client = await connect(server);
    const channel = room();
    client.subscribe(channel);
    const frame = await client.waitFor(subscriptionCount);
    expect(wire(frame)).toEqual({ event: subscriptionCount, channel, data: '{"subscription_count":1}' });
  });

  it('2.1 cache_miss carries the string {}', async () => {
    const client = await connect(server);
    const channel = room('cache-');
    client.subscribe(channel);
    expect(wire(await client.waitFor(cacheMiss))).toEqual({ event: cacheMiss, channel, data: '{}' });
  });

  it('2.1 signin_success carries user_data as a string in a string', async () => {
    const client = await connect(server);
    client.signin('{ "id": "ann", "user_info": {"name": "\\u00c4nn"} }');
    const frame = await client.next();
    expect(wire(frame)).toEqual({ event: 'pusher:signin_success', data: expect.any(String) });
    expect(dataOf(frame)).toEqual({ user_data: '{ "id": "ann", "user_info": {"name": "\\u00c4nn"} }' });
  });

  it('2.1 watchlist_events carries events with name and user_ids as a string', async () => {
    const client = await connect(server);
    client.signin({ id: 'watcher', watchlist: ['nobody'] });
    const frame = await client.waitFor(watchlistEvents);
    expect(wire(frame)).toEqual({ event: watchlistEvents, data: expect.any(String) });
    expect(dataOf(frame)).toEqual({ events: [{ name: 'offline', user_ids: ['nobody'] }] });
  });

  it.each([
    'plain text',
    '',
    '123',
    '{"a" : 1.0,"é":"\\u00e9"}',
    'null',
    '\u2028 \u0000 "quoted" \\ ☃',
    '{"nonce":"n==","ciphertext":"c/+="}',
  ])('2.1 a published string arrives verbatim: %j', async (data) => {
    const client = await connect(server);
    const channel = room();
    await client.subscribed(channel);
    await server.api.trigger(channel, 'said', data);
    expect(wire(await client.waitFor('said'))).toEqual({ event: 'said', channel, data });
  });

  it.each([[{ a: 1 }], [[1, 2]], [7], [true], [null]])(
    '2.1 published data that is no string arrives as its JSON: %j',
    async (data) => {
      const client = await connect(server);
      const channel = room();
      await client.subscribed(channel);
      await server.api.post('/events', { name: 'said', channels: [channel], data });
      expect(wire(await client.waitFor('said'))).toEqual({
        event: 'said',
        channel,
        data: JSON.stringify(data),
      });
    },
  );

  it('2.1 a relayed client event carries a string, and user_id on presence channels only', async () => {
    const [sender, receiver] = [await connect(server), await connect(server)];
    const channels = [room('private-'), room('presence-')];
    for (const channel of channels) {
      const isPresence = channel.startsWith('presence-');
      await sender.subscribed(channel, isPresence ? { user_id: 'a' } : undefined);
      await receiver.subscribed(channel, isPresence ? { user_id: 'b' } : undefined);
    }
    const relayed: Frame[] = [];
    for (const channel of channels) {
      sender.send({ event: 'client-x', channel, data: { typing: true } });
      relayed.push(await receiver.waitFor('client-x'));
    }
    const [onPrivate, onPresence] = relayed.map(wire);
    expect(onPrivate).toEqual({ event: 'client-x', channel: channels[0], data: '{"typing":true}' });
    expect(onPresence).toEqual({
      event: 'client-x',
      channel: channels[1],
      data: '{"typing":true}',
      user_id: 'a',
    });
  });

  it('2.1 no frame has keys besides event, channel, data and user_id', async () => {
    const [one, other] = [await connect(server), await connect(server)];
    const channel = room('presence-cache-');
    one.signin({ id: 'one', watchlist: ['two'] });
    await one.subscribed(channel, { user_id: 'one' });
    await other.subscribed(channel, { user_id: 'two' });
    other.signin({ id: 'two' });
    other.send({ event: 'client-x', channel, data: {}, extra: 1, socket_id: '1.1' });
    one.sendText('nonsense');
    await server.api.post('/events', { name: 'last', channel, data: '', extra: 1 });
    const frames = [...(await one.until('last')), ...(await other.until('last'))];
    for (const frame of frames) {
      const { event, channel: on, data, user_id: sender, raw, ...rest } = frame;
      expect({ rest, raw, event: typeof event }).toEqual({ rest: {}, raw, event: 'string' });
      if (event !== 'pusher:error') expect(typeof data).toBe('string');
      if (on !== undefined) expect(on).toBe(channel);
      if (sender !== undefined) expect(event).toBe('client-x');
    }
  });
}

function subscribe(start: Start): void {
  let server: Started;
  beforeAll(async () => {
    server = await start();
  });

  it('2.2 the frames pusher-js sends are understood', async () => {
    const client = await connect(server);
    const names = [room(), room('private-'), room('presence-')];
    const [open = '', closed = '', members = ''] = names;
    const channelData = '{"user_id":10,"user_info":{"name":"Mr. Channels"}}';
    const send = (data: object): void => client.send({ event: 'pusher:subscribe', data });
    send({ auth: '', channel: open });
    send({ auth: client.signChannel(closed), channel: closed });
    send({ auth: client.signChannel(members, channelData), channel_data: channelData, channel: members });
    const frames = await client.until(succeeded, members);
    expect(frames.map(({ event, channel }) => [event, channel])).toEqual(
      names.map((name) => [succeeded, name]),
    );
  });

  it('2.2 the auth of a public channel is never verified', async () => {
    const client = await connect(server);
    for (const auth of ['', 'nonsense', `${server.key}:00`, null]) {
      const channel = room();
      client.send({ event: 'pusher:subscribe', data: { channel, auth } });
      expect((await client.next()).event).toBe(succeeded);
    }
  });

  it('2.2 the data of a command may be a string', async () => {
    const client = await connect(server);
    const channel = room();
    client.send({ event: 'pusher:subscribe', data: JSON.stringify({ channel }) });
    expect((await client.next()).event).toBe(succeeded);
    client.send({ event: 'pusher:unsubscribe', data: JSON.stringify({ channel }) });
    expect(await client.drain()).toEqual([]);
  });

  it.each([
    [{}, 'channel must be a string'],
    [{ channel: 7 }, 'channel must be a string'],
    [{ channel: 'x', auth: 7 }, 'auth must be a string'],
    [{ channel: 'presence-x', auth: 'a:b', channel_data: {} }, 'channel_data must be a string'],
    [undefined, 'data must be an object'],
    ['nonsense', 'data must be an object'],
    [[], 'data must be an object'],
    [{ channel: 'x'.repeat(1001) }, 'channel must be at most 1000 characters long'],
  ])('2.2 shape is checked first: %j', async (data, problem) => {
    const client = await connect(server);
    client.send({ event: 'pusher:subscribe', data });
    expect(wire(await client.next())).toEqual(errorFrame(`Invalid pusher:subscribe: ${problem}`));
    expect(await client.drain()).toEqual([]);
  });

  it('2.2 the name is checked before a duplicate, a duplicate before the signature', async () => {
    const client = await connect(server);
    const channel = room('private-');
    await client.subscribed(channel);
    client.send({ event: 'pusher:subscribe', data: { channel, auth: 'nonsense' } });
    expect(wire(await client.next())).toEqual(errorFrame(`Existing subscription to channel ${channel}`));
    client.send({ event: 'pusher:subscribe', data: { channel: 'private-ä', auth: 'nonsense' } });
    expect(dataOf(await client.next())).toMatchObject({ type: 'InvalidChannel', status: 400 });
  });
}

/** Many connections join a presence channel at the same moment; each is its own user. */
async function race(server: Started, channel: string, count: number): Promise<readonly TestClient[]> {
  const clients = await Promise.all(Array.from({ length: count }, () => connect(server)));
  clients.forEach((client, index) => client.subscribe(channel, { user_id: `u${index}` }));
  return clients;
}

/** Follows what a client was shown of a presence channel until it knows as many members as expected. */
async function membersShown(
  client: TestClient,
  channel: string,
  expected: number,
): Promise<readonly string[]> {
  const known = new Set<string>();
  let isSubscribed = false;
  while (!isSubscribed || known.size < expected) {
    const frame = await client.next();
    if (frame.channel !== channel) continue;
    if (frame.event === succeeded) {
      isSubscribed = true;
      for (const id of (dataOf(frame) as { presence: { ids: string[] } }).presence.ids) known.add(id);
      continue;
    }
    if (!isSubscribed) throw new Error(`before success: ${frame.raw}`);
    const { user_id: userId } = dataOf(frame) as { user_id: string };
    if (frame.event === memberAdded) {
      if (known.has(userId)) throw new Error(`added twice: ${frame.raw}`);
      known.add(userId);
    } else if (frame.event === memberRemoved && !known.delete(userId)) {
      throw new Error(`removed but not there: ${frame.raw}`);
    }
  }
  return [...known].sort();
}

async function firstBesidesCounts(client: TestClient): Promise<Frame> {
  for (;;) {
    const frame = await client.next();
    if (frame.event !== subscriptionCount) return frame;
  }
}

function order(start: Start): void {
  let server: Started;
  beforeAll(async () => {
    server = await start({
      app: { subscriptionCount: true, watchlist: true, clientEvents: { enabled: true } },
    });
  });

  it('2.3.1 success comes before any other frame of the channel', async () => {
    const channel = room();
    const done = new AbortController();
    const publisher = (async () => {
      while (!done.signal.aborted) await server.api.trigger(channel, 'tick', '');
    })();
    const clients = await Promise.all(Array.from({ length: 20 }, () => connect(server)));
    for (const client of clients) client.subscribe(channel);
    const firstFrames = await Promise.all(clients.map((client) => client.next()));
    done.abort();
    await publisher;
    expect(new Set(eventsOf(firstFrames))).toEqual(new Set([succeeded]));
  });

  it('2.3.1 a member is in the snapshot or added after it, never between', async () => {
    const channel = room('presence-');
    const everybody = Array.from({ length: 25 }, (_, index) => `u${index}`).sort();
    const clients = await race(server, channel, everybody.length);
    const shown = await Promise.all(clients.map((client) => membersShown(client, channel, everybody.length)));
    for (const members of shown) expect(members).toEqual(everybody);
  });

  it('2.3.1 members who come and go while others join are never shown wrongly', async () => {
    const channel = room('presence-');
    const clients = await race(server, channel, 12);
    const leavers = clients.slice(0, 4);
    const stayers = clients.slice(4);
    await Promise.all(leavers.map((client) => client.waitFor(succeeded, channel)));
    for (const [index, client] of leavers.entries()) {
      if (index % 2 === 0) client.terminate();
      else client.unsubscribe(channel);
    }
    const staying = stayers.map((_, index) => `u${index + 4}`).sort();
    const settled = stayers.map(async (client) => {
      const known = new Set<string>();
      for (;;) {
        const frame = await client.next();
        if (frame.event === succeeded) {
          for (const id of (dataOf(frame) as { presence: { ids: string[] } }).presence.ids) known.add(id);
        } else if (frame.event === memberAdded || frame.event === memberRemoved) {
          const { user_id: userId } = dataOf(frame) as { user_id: string };
          const isNews = frame.event === memberAdded ? !known.has(userId) : known.has(userId);
          expect([frame.raw, isNews]).toEqual([frame.raw, true]);
          if (frame.event === memberAdded) known.add(userId);
          else known.delete(userId);
        }
        if (JSON.stringify([...known].sort()) === JSON.stringify(staying)) return;
      }
    });
    await Promise.all(settled);
  });

  it('2.3.2 a cache channel gives success, then the cached event, then live ones', async () => {
    const channel = room('cache-');
    await server.api.trigger(channel, 'cached', 'old');
    const client = await connect(server);
    client.subscribe(channel);
    const before = await client.until('cached');
    expect(eventsOf(before).filter((event) => event !== subscriptionCount)).toEqual([succeeded, 'cached']);
    await server.api.trigger(channel, 'live', 'new');
    expect(eventsOf(await client.until('live'))).toContain('live');
  });

  it('2.3.2 an empty cache channel gives success, then cache_miss, then live events', async () => {
    const channel = room('cache-');
    const client = await connect(server);
    client.subscribe(channel);
    const frames = await client.until(cacheMiss);
    expect(eventsOf(frames).filter((event) => event !== subscriptionCount)).toEqual([succeeded, cacheMiss]);
  });

  it('2.3.2 a joiner of a busy cache channel begins with one event and misses none after it', async () => {
    const channel = room('cache-');
    const count = 40;
    const published = (async () => {
      for (let sent = 0; sent < count; sent++) await server.api.trigger(channel, 'n', String(sent));
    })();
    const clients = await Promise.all(Array.from({ length: 10 }, () => connect(server)));
    for (const client of clients) client.subscribe(channel);
    await published;
    await server.api.trigger(channel, 'n', String(count));
    for (const client of clients) {
      const numbers: number[] = [];
      while (numbers.at(-1) !== count) {
        const frame = await client.next();
        if (frame.event === 'n') numbers.push(Number(frame.data));
      }
      const [cached = 0, ...live] = numbers;
      // What is published at the very moment may come as the cached event and as a live one. Between nodes live ones take
      // longer than a look at the cached one, so that one may be ahead of them.
      const [first = count + 1] = live;
      expect(first).toBeLessThanOrEqual(cached + 1);
      expect(live).toEqual(Array.from({ length: count + 1 - first }, (_, index) => first + index));
    }
  });

  it('2.3.2 a client event while somebody joins does not stand in for the cached event', async () => {
    const channel = room('private-cache-');
    const sender = await connect(server);
    await sender.subscribed(channel);
    await server.api.trigger(channel, 'cached', 'kept');
    for (let round = 0; round < 5; round++) {
      const joiner = await connect(server);
      joiner.subscribe(channel);
      sender.send({ event: 'client-x', channel, data: '' });
      await joiner.waitFor(succeeded);
      expect(wire(await firstBesidesCounts(joiner))).toEqual({ event: 'cached', channel, data: 'kept' });
    }
  });

  it('2.3.2 an event that excludes whoever joins does not leave it without the cached event', async () => {
    const channel = room('cache-');
    await server.api.trigger(channel, 'cached', 'kept');
    for (let round = 0; round < 5; round++) {
      const joiner = await connect(server);
      joiner.subscribe(channel);
      await server.api.trigger(channel, 'cached', 'kept', { socket_id: joiner.socketId });
      const events = eventsOf(await joiner.drain()).filter((event) => event !== subscriptionCount);
      expect(events).toEqual([succeeded, 'cached']);
    }
  });

  it('2.3.3 the joiner is not told of itself', async () => {
    const channel = room('presence-');
    const clients = await race(server, channel, 10);
    await Promise.all(
      clients.map(async (client, index) => {
        const frames: Frame[] = [];
        const known = new Set<string>();
        while (known.size < 10) {
          const frame = await client.next();
          frames.push(frame);
          if (frame.event === succeeded)
            for (const id of (dataOf(frame) as { presence: { ids: string[] } }).presence.ids) known.add(id);
          if (frame.event === memberAdded) known.add((dataOf(frame) as { user_id: string }).user_id);
        }
        const own = frames.filter(
          ({ event, data }) => event === memberAdded && data === `{"user_id":"u${index}"}`,
        );
        expect(own).toEqual([]);
      }),
    );
  });

  it('2.3.3 whoever leaves is not told of itself', async () => {
    const channel = room('presence-');
    const [leaver, witness] = [await connect(server), await connect(server)];
    await leaver.subscribed(channel, { user_id: 'a' });
    await witness.subscribed(channel, { user_id: 'b' });
    leaver.unsubscribe(channel);
    await witness.waitFor(memberRemoved);
    expect(eventsOf(await leaver.drain())).not.toContain(memberRemoved);
  });

  it('2.3.4 live events come in publish order', async () => {
    const channel = room();
    const clients = await Promise.all(Array.from({ length: 5 }, () => connect(server)));
    await Promise.all(clients.map((client) => client.subscribed(channel)));
    const count = 100;
    for (let sent = 0; sent < count; sent++) await server.api.trigger(channel, 'n', String(sent));
    for (const client of clients) {
      const numbers: string[] = [];
      while (numbers.length < count) numbers.push(String((await client.waitFor('n')).data));
      expect(numbers).toEqual(Array.from({ length: count }, (_, index) => String(index)));
    }
  });

  it('2.3.5 nothing comes for a channel after its unsubscribe', async () => {
    const channel = room('presence-');
    const [leaver, witness] = [await connect(server), await connect(server)];
    await leaver.subscribed(channel, { user_id: 'a' });
    await witness.subscribed(channel, { user_id: 'b' });
    leaver.unsubscribe(channel);
    await leaver.drain();
    await server.api.trigger(channel, 'after', '');
    await witness.waitFor('after');
    witness.send({ event: 'client-after', channel, data: '' });
    await witness.drain();
    expect(await leaver.drain()).toEqual([]);
  });

  it('2.3.5 events before the unsubscribe are delivered before it takes effect', async () => {
    const channel = room('private-');
    const node = oneNode(server);
    const [leaver, sender] = [await connect(node), await connect(node)];
    await leaver.subscribed(channel);
    await sender.subscribed(channel);
    sender.send({ event: 'client-before', channel, data: '' });
    await sender.drain();
    leaver.unsubscribe(channel);
    expect(eventsOf(await leaver.drain())).toContain('client-before');
  });

  it('2.3.6 a successful unsubscribe gets no reply', async () => {
    const client = await connect(server);
    const channel = room('private-');
    await client.subscribed(channel);
    await client.drain();
    client.unsubscribe(channel);
    expect(eventsOf(await client.drain()).filter((event) => event !== subscriptionCount)).toEqual([]);
  });

  it('2.3.7 signin_success precedes watchlist events and the subscriptions sent behind it', async () => {
    const client = await connect(server);
    const channel = room('presence-');
    client.signin({ id: 'ann', watchlist: ['bob'] });
    client.send({ event: 'pusher:subscribe', data: { auth: '', channel: '#server-to-user-ann' } });
    client.subscribe(channel);
    const events = eventsOf(await client.until(succeeded, channel));
    expect(events).toEqual(['pusher:signin_success', watchlistEvents, succeeded, succeeded]);
  });

  it('2.3.8 the frames of a connection are handled strictly in order', async () => {
    const client = await connect(server);
    const channel = room('presence-cache-');
    for (let round = 0; round < 15; round++) {
      client.subscribe(channel, { user_id: 'a' });
      client.unsubscribe(channel);
    }
    client.subscribe(channel, { user_id: 'a' });
    client.subscribe(channel, { user_id: 'a' });
    const events = eventsOf(await client.drain());
    expect(events.filter((event) => event === succeeded)).toHaveLength(16);
    expect(events.filter((event) => event === 'pusher:error')).toHaveLength(1);
    expect(events.at(-1)).toBe('pusher:error');
  });

  it('2.3.9 success of a presence channel always has a hash', async () => {
    const channel = room('presence-');
    const clients = await race(server, channel, 8);
    for (const client of clients) {
      const { presence } = dataOf(await client.waitFor(succeeded)) as { presence: { hash: object } };
      expect(Object.keys(presence.hash).length).toBeGreaterThan(0);
    }
  });

  it('2.3.10 a burst of subscriptions after a reconnect is answered whole', async () => {
    const channels = Array.from({ length: 100 }, (_, index) =>
      room(['', 'private-', 'presence-'][index % 3]),
    );
    for (let round = 0; round < 2; round++) {
      const client = await connect(server);
      for (const channel of channels)
        client.subscribe(channel, channel.startsWith('presence-') ? { user_id: 'a' } : undefined);
      const answered = (await client.drain()).filter(({ event }) => event === succeeded);
      expect(answered.map(({ channel }) => channel)).toEqual(channels);
      client.terminate();
    }
  });
}

function errors(start: Start): void {
  let server: Started;
  beforeAll(async () => {
    server = await start({ app: { clientEvents: { enabled: true }, presence: { maxMembers: 1 } } });
  });

  /** A subscribe that is refused answers in both forms, and the connection stays open. */
  async function refusedSubscribe(
    client: TestClient,
    data: { readonly channel: string; readonly auth?: string; readonly channel_data?: string },
    answer: { readonly type: string; readonly error: string; readonly status: number },
  ): Promise<void> {
    client.send({ event: 'pusher:subscribe', data });
    const [first, second] = [await client.next(), await client.next()];
    expect(wire(first)).toEqual({
      event: subscriptionError,
      channel: data.channel,
      data: expect.any(String),
    });
    expect(dataOf(first)).toEqual(answer);
    expect(wire(second)).toEqual(errorFrame(answer.error));
    expect(await client.drain()).toEqual([]);
  }

  it('2.4 a duplicate subscribe', async () => {
    const client = await connect(server);
    const channel = room();
    await client.subscribed(channel);
    client.subscribe(channel);
    expect(wire(await client.next())).toEqual(errorFrame(`Existing subscription to channel ${channel}`));
    await server.api.trigger(channel, 'still', 'here');
    expect(eventsOf(await client.until('still'))).toEqual(['still']);
  });

  it('2.4 an unsubscribe of an unknown channel', async () => {
    const client = await connect(server);
    client.unsubscribe('unknown');
    const message = 'No current subscription to channel unknown, or subscription in progress';
    expect(wire(await client.next())).toEqual(errorFrame(message));
    expect(await client.drain()).toEqual([]);
  });

  it.each(['private-', 'presence-', 'private-encrypted-', 'private-cache-', 'presence-cache-'])(
    '2.4 %s without auth, in both forms',
    async (prefix) => {
      const channel = room(prefix);
      for (const auth of [{}, { auth: '' }]) {
        await refusedSubscribe(
          await connect(server),
          { channel, ...auth },
          { type: 'AuthError', error: `Auth info required to subscribe to ${channel}`, status: 401 },
        );
      }
    },
  );

  it.each([
    ['nonsense', 'nonsense'],
    ['wrong-key:0000', 'wrong-key'],
    [':0000', ''],
  ])('2.4 a malformed auth key, in both forms: %s', async (auth, key) => {
    const error = `Invalid key in subscription auth data: '${key}'`;
    await refusedSubscribe(
      await connect(server),
      { channel: room('private-'), auth },
      { type: 'AuthError', error, status: 401 },
    );
  });

  it('2.4 a wrong signature, in both forms, tells what to sign and no secret', async () => {
    const client = await connect(server);
    const channel = room('private-');
    const error = `Invalid signature: expected HMAC SHA256 hex digest of ${client.socketId}:${channel}`;
    const auth = `${server.key}:${'0'.repeat(64)}`;
    await refusedSubscribe(client, { channel, auth }, { type: 'AuthError', error, status: 401 });
    expect(error).not.toContain(server.secret);
  });

  it('2.4 what is reflected is escaped', async () => {
    const client = await connect(server);
    const key = '"}\\\u0000<script>\u2028';
    const error = `Invalid key in subscription auth data: '${key}'`;
    const auth = `${key}:00`;
    await refusedSubscribe(
      client,
      { channel: room('private-'), auth },
      { type: 'AuthError', error, status: 401 },
    );
  });

  it('2.4 an invalid channel name, in both forms', async () => {
    const error = 'Invalid channel name not allowed: use 1 to 200 characters of A-Z a-z 0-9 _ - = @ , . ;';
    await refusedSubscribe(
      await connect(server),
      { channel: 'not allowed' },
      { type: 'InvalidChannel', error, status: 400 },
    );
  });

  it('2.4 user_info that is no object, in both forms', async () => {
    const client = await connect(server);
    const channel = room('presence-');
    const data = '{"user_id":"a","user_info":"text"}';
    await refusedSubscribe(
      client,
      { channel, auth: client.signChannel(channel, data), channel_data: data },
      {
        type: 'InvalidChannel',
        error: 'user_info supplied to presence subscription is invalid: it must be an object',
        status: 400,
      },
    );
  });

  it('2.4 channel_data without a user_id, in both forms', async () => {
    const client = await connect(server);
    const channel = room('presence-');
    const problem = 'user_id must be a string or a finite number';
    await refusedSubscribe(
      client,
      { channel, auth: client.signChannel(channel, '{}'), channel_data: '{}' },
      {
        type: 'InvalidChannel',
        error: `channel_data supplied to presence subscription of ${channel} is invalid: ${problem}`,
        status: 400,
      },
    );
  });

  it('2.4 a full channel, in both forms', async () => {
    const channel = room('presence-');
    await (await connect(server)).subscribed(channel, { user_id: 'a' });
    const client = await connect(server);
    const data = '{"user_id":"b"}';
    await refusedSubscribe(
      client,
      { channel, auth: client.signChannel(channel, data), channel_data: data },
      { type: 'LimitReached', error: `Channel ${channel} is full: at most 1 members`, status: 403 },
    );
  });

  it('2.4 too many subscriptions, in both forms', async () => {
    const limited = await start({ config: { server: { maxSubscriptionsPerConnection: 1 } } });
    const client = await connect(limited);
    await client.subscribed(room());
    const error = 'This connection already holds 1 subscriptions: unsubscribe from some first';
    await refusedSubscribe(client, { channel: room() }, { type: 'LimitReached', error, status: 403 });
  });

  it('2.4 a channel that was refused can be asked for again', async () => {
    const client = await connect(server);
    const channel = room('private-');
    client.send({ event: 'pusher:subscribe', data: { channel } });
    await client.waitFor('pusher:error');
    await client.subscribed(channel);
  });

  it('2.4 client events disabled', async () => {
    const disabled = await start({ app: { clientEvents: { enabled: false } } });
    const client = await connect(disabled);
    const channel = room('private-');
    await client.subscribed(channel);
    client.send({ event: 'client-x', channel, data: {} });
    const message =
      'To send client events, you must enable this feature: set clientEvents.enabled for this app';
    expect(wire(await client.next())).toEqual(errorFrame(message));
  });

  it.each([{ channel: 'private-x' }, { data: {} }, {}, { channel: 7, data: {} }])(
    '2.4 a client event lacks fields: %j',
    async (fields) => {
      const client = await connect(server);
      client.send({ event: 'client-x', ...fields });
      expect(wire(await client.next())).toEqual(
        errorFrame('Invalid client event (must contain channel and data)'),
      );
    },
  );

  it('2.4 an unknown event', async () => {
    const client = await connect(server);
    client.send({ event: 'what' });
    expect(wire(await client.next())).toEqual(errorFrame('Unsupported event received on socket: what'));
  });

  it('2.4 client events too fast are 4301', async () => {
    const client = await connect(server);
    const channel = room('private-');
    await client.subscribed(channel);
    for (let sent = 0; sent < 30; sent++) client.send({ event: 'client-x', channel, data: '' });
    const message = 'Client event rejected: more than 10 messages per second on this connection';
    expect(wire(await client.waitFor('pusher:error'))).toEqual(errorFrame(message, 4301));
  });

  it('2.4 a watchlist too long is 4302 after signin_success', async () => {
    const watching = await start({ app: { watchlist: true } });
    const client = await connect(watching);
    client.signin({ id: 'a', watchlist: Array.from({ length: 101 }, (_, index) => `u${index}`) });
    expect((await client.next()).event).toBe('pusher:signin_success');
    const message = 'Watchlist is limited to 100 users: the first 100 were kept';
    expect(wire(await client.next())).toEqual(errorFrame(message, 4302));
  });
}

function names(start: Start): void {
  it('2.5 the names clients make up for themselves are never sent', async () => {
    const server = await start({ app: { subscriptionCount: true, watchlist: true } });
    const [one, other] = [await connect(server), await connect(server)];
    one.signin({ id: 'a', watchlist: ['b'] });
    const channel = room('presence-');
    await one.subscribed(channel, { user_id: 'a' });
    await one.subscribed('counted');
    await other.subscribed(channel, { user_id: 'b' });
    other.signin('{"id":7}');
    await other.waitFor('pusher:error');
    await other.close();
    const events = new Set(eventsOf(await one.until(memberRemoved)));
    for (const event of [
      'pusher:subscription_succeeded',
      'pusher:member_added',
      'pusher:member_removed',
      'pusher:subscription_count',
      'pusher:signin_error',
    ])
      expect(events).not.toContain(event);
  });

  it('2.5 only pusher events come without a channel', async () => {
    const server = await start({ app: { watchlist: true } });
    const client = await connect(server);
    client.signin({ id: 'a', watchlist: ['b'] });
    client.send({ event: 'pusher:subscribe', data: { auth: '', channel: '#server-to-user-a' } });
    client.sendText('nonsense');
    const before = await client.until('pusher:error');
    await server.api.trigger('#server-to-user-a', 'to-you', '');
    for (const { event, channel } of [...before, ...(await client.until('to-you'))]) {
      if (channel === undefined) expect(event).toMatch(/^pusher(_internal)?:/);
    }
  });
}
