import { beforeAll, expect, it } from '@jest/globals';
import { connect, type TestClient } from '../support/client.ts';
import { otherApp } from '../support/server.ts';
import { eventsOf, overEveryStore, room, type Started, wire } from './each-store.ts';

overEveryStore((start) => {
  let server: Started;
  beforeAll(async () => {
    server = await start();
  });

  /** Two connections subscribed to one channel. */
  async function pair(channel: string): Promise<readonly [TestClient, TestClient]> {
    const clients = [await connect(server), await connect(server)] as const;
    for (const [index, client] of clients.entries()) {
      await client.subscribed(
        channel,
        channel.startsWith('presence-') ? { user_id: `u${index}` } : undefined,
      );
    }
    await clients[0].drain();
    return clients;
  }

  async function refusalOf(client: TestClient, message: object): Promise<unknown> {
    client.send(message);
    const { data } = await client.next();
    expect(await client.drain()).toEqual([]);
    return data;
  }

  it('6 refused where the app has them off', async () => {
    const off = await start({ app: { clientEvents: { enabled: false } } });
    const channel = room('private-');
    const [one, other] = [await connect(off), await connect(off)];
    await one.subscribed(channel);
    await other.subscribed(channel);
    one.send({ event: 'client-x', channel, data: '' });
    expect((await one.next()).event).toBe('pusher:error');
    expect(await other.drain()).toEqual([]);
  });

  it.each(['private-', 'presence-', 'private-encrypted-', 'private-cache-', 'presence-cache-'])(
    '6 relayed on %s',
    async (prefix) => {
      const channel = room(prefix);
      const [sender, receiver] = await pair(channel);
      sender.send({ event: 'client-x', channel, data: 'hi' });
      expect((await receiver.waitFor('client-x')).data).toBe('hi');
    },
  );

  it.each(['', 'cache-', 'presencex-'])('6 refused on the public channel %sroom', async (prefix) => {
    const channel = room(prefix);
    const [sender, receiver] = await pair(channel);
    await sender.drain();
    expect(await refusalOf(sender, { event: 'client-x', channel, data: '' })).toEqual({
      code: null,
      message: `Client events are only for private and presence channels, not ${channel}`,
    });
    expect(eventsOf(await receiver.drain())).not.toContain('client-x');
  });

  it('6 refused on a channel whose name is not valid', async () => {
    const channel = 'private-not valid';
    expect(await refusalOf(await connect(server), { event: 'client-x', channel, data: '' })).toEqual({
      code: null,
      message: 'Client events are only for private and presence channels, not private-not valid',
    });
  });

  it('6 the sender must be subscribed', async () => {
    const channel = room('private-');
    const [, receiver] = await pair(channel);
    const stranger = await connect(server);
    expect(await refusalOf(stranger, { event: 'client-x', channel, data: '' })).toEqual({
      code: null,
      message: `Client event rejected: this connection is not subscribed to ${channel}`,
    });
    await stranger.subscribed(channel);
    stranger.unsubscribe(channel);
    await stranger.drain();
    await refusalOf(stranger, { event: 'client-x', channel, data: '' });
    expect(await receiver.drain()).toEqual([]);
  });

  it('6 a client event behind a subscribe is sent once the subscribe succeeded', async () => {
    const channel = room('private-');
    const [receiver] = await pair(channel);
    const sender = await connect(server);
    sender.subscribe(channel);
    sender.send({ event: 'client-x', channel, data: 'after' });
    expect((await receiver.waitFor('client-x')).data).toBe('after');
    expect(eventsOf(await sender.drain())).toEqual(['pusher_internal:subscription_succeeded']);
  });

  it('6 not delivered to the sending connection', async () => {
    const channel = room('private-');
    const [sender, receiver] = await pair(channel);
    sender.send({ event: 'client-x', channel, data: '' });
    await receiver.waitFor('client-x');
    expect(await sender.drain()).toEqual([]);
  });

  it('6 other tabs of the same user get it', async () => {
    const channel = room('presence-');
    const [one, other] = [await connect(server), await connect(server)];
    for (const tab of [one, other]) await tab.subscribed(channel, { user_id: 'same' });
    one.send({ event: 'client-x', channel, data: '' });
    expect((await other.waitFor('client-x')).user_id).toBe('same');
  });

  it('6 a forged user_id vanishes, as does every other key', async () => {
    const onPresence = room('presence-');
    const [sender, receiver] = await pair(onPresence);
    sender.send({
      event: 'client-x',
      channel: onPresence,
      data: '',
      user_id: 'admin',
      socket_id: '1.1',
      x: 1,
    });
    expect(wire(await receiver.waitFor('client-x'))).toEqual({
      event: 'client-x',
      channel: onPresence,
      data: '',
      user_id: 'u0',
    });
    const onPrivate = room('private-');
    const [one, other] = await pair(onPrivate);
    one.signin({ id: 'signed-in' });
    one.send({ event: 'client-x', channel: onPrivate, data: '', user_id: 'admin' });
    expect(wire(await other.waitFor('client-x'))).toEqual({
      event: 'client-x',
      channel: onPrivate,
      data: '',
    });
  });

  it('6 user_id is the one of that channel', async () => {
    const [first, second] = [room('presence-'), room('presence-')];
    const [one, other] = [await connect(server), await connect(server)];
    one.signin({ id: 'signed-in' });
    await one.subscribed(first, { user_id: 'as-first' });
    await one.subscribed(second);
    await other.subscribed(first, { user_id: 'x' });
    await other.subscribed(second, { user_id: 'x' });
    one.send({ event: 'client-x', channel: first, data: '' });
    expect((await other.waitFor('client-x')).user_id).toBe('as-first');
    one.send({ event: 'client-x', channel: second, data: '' });
    expect((await other.waitFor('client-x')).user_id).toBe('signed-in');
  });

  it.each([
    ['"text"', 'text'],
    ['{"a":1,"b":[true,null]}', '{"a":1,"b":[true,null]}'],
    ['"{ \\"a\\" : 1.0 }"', '{ "a" : 1.0 }'],
    ['7', '7'],
    ['null', 'null'],
    ['""', ''],
    ['false', 'false'],
    ['"\\ud83d\\ude00 \\u2028"', '😀 \u2028'],
  ])('6 data %s arrives as a string', async (sent, received) => {
    const channel = room('private-');
    const [sender, receiver] = await pair(channel);
    sender.sendText(`{"event":"client-x","data":${sent},"channel":"${channel}"}`);
    expect((await receiver.waitFor('client-x')).data).toBe(received);
  });

  it('6 channel and data are both needed', async () => {
    const client = await connect(server);
    for (const fields of [{ data: '' }, { channel: 'private-x' }, {}]) {
      expect(await refusalOf(client, { event: 'client-x', ...fields })).toEqual({
        code: null,
        message: 'Invalid client event (must contain channel and data)',
      });
    }
  });

  it('6 channel stands at the top level, not inside data', async () => {
    const channel = room('private-');
    const [sender, receiver] = await pair(channel);
    await refusalOf(sender, { event: 'client-x', data: { channel, data: '' } });
    expect(await receiver.drain()).toEqual([]);
  });

  it('6 data has up to 10240 bytes as a string', async () => {
    const channel = room('private-');
    const [sender, receiver] = await pair(channel);
    const fits = 'é'.repeat(5120);
    sender.send({ event: 'client-x', channel, data: fits });
    expect((await receiver.waitFor('client-x')).data).toBe(fits);
    expect(await refusalOf(sender, { event: 'client-x', channel, data: `${fits}x` })).toEqual({
      code: null,
      message: 'The data content of this client event exceeds the allowed maximum (10240 bytes)',
    });
    expect(await receiver.drain()).toEqual([]);
  });

  it('6 an event name has up to 200 characters', async () => {
    const channel = room('private-');
    const [sender, receiver] = await pair(channel);
    const fits = `client-${'x'.repeat(193)}`;
    sender.send({ event: fits, channel, data: '' });
    expect((await receiver.next()).event).toBe(fits);
    expect(await refusalOf(sender, { event: `${fits}x`, channel, data: '' })).toEqual({
      code: null,
      message: 'Client event name is longer than 200 characters',
    });
  });

  it('6 a burst: some are delivered, the rest is 4301, the socket stays open', async () => {
    const channel = room('private-');
    const [sender, receiver] = await pair(channel);
    for (let sent = 0; sent < 40; sent++) sender.send({ event: 'client-x', channel, data: String(sent) });
    const answers = await sender.drain();
    await server.api.trigger(channel, 'last', '');
    const delivered = eventsOf(await receiver.until('last')).filter((event) => event === 'client-x');
    expect(delivered.length).toBeGreaterThanOrEqual(10);
    expect(delivered.length).toBeLessThanOrEqual(20);
    expect(answers).toHaveLength(40 - delivered.length);
    for (const answer of answers) {
      const message = 'Client event rejected: more than 10 messages per second on this connection';
      expect(wire(answer)).toEqual({ event: 'pusher:error', data: { code: 4301, message } });
    }
  });

  it('6 the rate is the configured one, counted for each connection, and off with 0', async () => {
    const slow = await start({ app: { clientEvents: { enabled: true, perSecond: 1 } } });
    const channel = room('private-');
    for (let round = 0; round < 3; round++) {
      const client = await connect(slow);
      await client.subscribed(channel);
      client.send({ event: 'client-x', channel, data: '' });
      expect(eventsOf(await client.drain())).not.toContain('pusher:error');
      for (let sent = 0; sent < 5; sent++) client.send({ event: 'client-x', channel, data: '' });
      expect((await client.waitFor('pusher:error')).data).toMatchObject({ code: 4301 });
    }
    const unlimited = await start({ app: { clientEvents: { enabled: true, perSecond: 0 } } });
    const client = await connect(unlimited);
    await client.subscribed(channel);
    for (let sent = 0; sent < 100; sent++) client.send({ event: 'client-x', channel, data: '' });
    expect(await client.drain()).toEqual([]);
  });

  it('6 after a second the sender may go on', async () => {
    const slow = await start({ app: { clientEvents: { enabled: true, perSecond: 5 } } });
    const channel = room('private-');
    const client = await connect(slow);
    await client.subscribed(channel);
    for (let sent = 0; sent < 10; sent++) client.send({ event: 'client-x', channel, data: '' });
    expect(eventsOf(await client.drain())).toContain('pusher:error');
    for (;;) {
      client.send({ event: 'client-x', channel, data: '' });
      if ((await client.drain()).length === 0) break;
    }
  });

  it('6 other frames are not counted', async () => {
    const client = await connect(server);
    for (let sent = 0; sent < 50; sent++) client.send({ event: 'pusher:pong', data: {} });
    for (let sent = 0; sent < 50; sent++) client.subscribe(room());
    expect(eventsOf(await client.drain())).not.toContain('pusher:error');
  });

  it('6 a payload of an encrypted channel is relayed byte for byte', async () => {
    const channel = room('private-encrypted-');
    const [sender, receiver] = await pair(channel);
    const data = '{ "nonce":"4sVYwy4j/8dCcjyxtPCWyk19GaaViaW9","ciphertext":"/GMESnFGlbNn01BuBjp31Q==" }';
    sender.send({ event: 'client-secret', channel, data });
    expect((await receiver.waitFor('client-secret')).data).toBe(data);
  });

  it('6 not cached on cache channels', async () => {
    const channel = room('private-cache-');
    const [sender, receiver] = await pair(channel);
    sender.send({ event: 'client-x', channel, data: '' });
    await receiver.waitFor('client-x');
    const late = await connect(server);
    late.subscribe(channel);
    expect(eventsOf(await late.drain())).toEqual([
      'pusher_internal:subscription_succeeded',
      'pusher:cache_miss',
    ]);
  });

  it('6 client events of one connection arrive in order', async () => {
    const channel = room('private-');
    const [sender, receiver] = await pair(channel);
    for (let sent = 0; sent < 10; sent++) sender.send({ event: 'client-x', channel, data: String(sent) });
    for (let sent = 0; sent < 10; sent++)
      expect((await receiver.waitFor('client-x')).data).toBe(String(sent));
  });

  it('6 they stay in their app', async () => {
    const channel = room('private-');
    const [sender, receiver] = await pair(channel);
    const foreign = await connect(server, { key: otherApp.key, secret: otherApp.secret });
    await foreign.subscribed(channel);
    sender.send({ event: 'client-x', channel, data: '' });
    await receiver.waitFor('client-x');
    expect(await foreign.drain()).toEqual([]);
  });
});
