import { createHmac } from 'node:crypto';
import { afterEach, beforeAll, expect, it } from '@jest/globals';
import Echo from 'laravel-echo';
import { connect } from '../support/client.ts';
import {
  createSdk,
  join,
  PusherClient,
  reached,
  subscribe,
  transportOptions,
} from '../support/stock-clients.ts';
import { eventsOf, overEveryStore, room, type Started } from './each-store.ts';

overEveryStore((start) => {
  let server: Started;
  const opened: PusherClient[] = [];
  beforeAll(async () => {
    server = await start();
  });
  afterEach(() => {
    for (const pusher of opened.splice(0)) pusher.disconnect();
  });

  /** pusher-js with an application that lets everybody in; presence members are called by `userId`. */
  function openPusher(to: Started, { key = to.key, userId = 'me' } = {}): PusherClient {
    const sdk = createSdk(to);
    const pusher = new PusherClient(key, {
      ...transportOptions(to.port),
      channelAuthorization: {
        transport: 'ajax',
        endpoint: '',
        customHandler: ({ socketId, channelName }, callback) => {
          const member = { user_id: userId, user_info: { id: userId } };
          const isPresence = channelName.startsWith('presence-');
          callback(null, sdk.authorizeChannel(socketId, channelName, isPresence ? member : undefined));
        },
      },
    });
    opened.push(pusher);
    return pusher;
  }

  function openEcho(pusher: PusherClient): Echo<'pusher'> {
    return new Echo<'pusher'>({
      broadcaster: 'pusher',
      client: pusher,
      key: server.key,
      cluster: '',
    });
  }

  it('9.1 pusher-js stops when the app is unknown or disabled', async () => {
    await reached(openPusher(server, { key: 'nobody' }), 'disconnected');
    const disabled = await start({ app: { enabled: false } });
    await reached(openPusher(disabled), 'disconnected');
  });

  it('9.1 pusher-js comes back at once when a deploy closes it', async () => {
    const pusher = openPusher(server);
    await reached(pusher, 'connected');
    const before = pusher.connection.socket_id;
    const [connection] = [...server.running.parts.connections.all()].filter(
      ({ socketId }) => socketId === before,
    );
    connection?.transport.close(4200, 'Server is restarting: reconnect now');
    await reached(pusher, 'connecting');
    await reached(pusher, 'connected');
    expect(pusher.connection.socket_id).not.toBe(before);
  });

  it('9.2 pusher-js connects and knows its socket id', async () => {
    const pusher = openPusher(server);
    await reached(pusher, 'connected');
    expect(pusher.connection.socket_id).toMatch(/^\d+\.\d+$/);
  });

  it('9.3 pusher-js joins a presence channel and survives every frame', async () => {
    const channel = room('presence-');
    const [one, other] = [openPusher(server, { userId: 'a' }), openPusher(server, { userId: 'b' })];
    await join(one, channel);
    const { channel: joined } = await join(other, channel);
    expect(joined.members.count).toBe(2);
  });

  it('9.4 pusher-js that was shed with 4100 gets in once there is room', async () => {
    const small = await start({ app: { maxConnections: 1 }, config: { server: { overCapacityCode: 4100 } } });
    const first = await connect(small);
    const pusher = openPusher(small);
    await small.log.waitFor('connection.refused');
    await first.close();
    await reached(pusher, 'connected');
  });

  it('9.5 a connection that never subscribes is left in peace', async () => {
    const [orphan, winner] = [await connect(server), await connect(server)];
    await winner.subscribed(room());
    await orphan.close();
    expect(await winner.drain()).toEqual([]);
  });

  it('9.6 an unsubscribe while the subscribe is pending is carried out', async () => {
    const channel = room('private-');
    const pusher = openPusher(server);
    await reached(pusher, 'connected');
    pusher.subscribe(channel);
    pusher.unsubscribe(channel);
    await server.log.waitFor('subscription.closed', (closed) => closed.channel === channel);
    expect((await server.api.get(`/channels/${channel}`)).json).toEqual({ occupied: false });
  });

  it('9.6 every subscribe is answered, refused ones too', async () => {
    const client = await connect(server);
    for (const data of [{ channel: 'x y' }, { channel: 'private-x' }, {}, { channel: room() }]) {
      client.send({ event: 'pusher:subscribe', data });
      expect((await client.drain()).length).toBeGreaterThan(0);
    }
  });

  it('9.7 leave of Echo leaves what it holds, without errors', async () => {
    const name = room();
    const pusher = openPusher(server);
    const errors: unknown[] = [];
    pusher.connection.bind('error', (error: unknown) => errors.push(error));
    const echo = openEcho(pusher);
    await new Promise<void>((done) => {
      echo.private(name).subscribed(() => done());
    });
    echo.leave(name);
    await server.log.waitFor('subscription.closed', ({ channel }) => channel === `private-${name}`);
    await subscribe(pusher, room());
    expect(errors).toEqual([]);
  });

  it('9.8 here of Echo is given the user_info objects', async () => {
    const name = room();
    const pusher = openPusher(server, { userId: 'a' });
    const here = await new Promise((done) => {
      openEcho(pusher).join(name).here(done);
    });
    expect(here).toEqual([{ id: 'a' }]);
  });

  it('9.9 joining and leaving of Echo are told of the same member', async () => {
    const name = room();
    const echo = openEcho(openPusher(server, { userId: 'a' }));
    const other = await connect(server);
    const told: unknown[] = [];
    await new Promise<void>((done) => {
      echo
        .join(name)
        .here(() => other.subscribe(`presence-${name}`, { user_id: 'b', user_info: { id: 'b' } }))
        .joining((member: unknown) => {
          told.push(member);
          other.unsubscribe(`presence-${name}`);
        })
        .leaving((member: unknown) => {
          told.push(member);
          done();
        });
    });
    expect(told).toEqual([{ id: 'b' }, { id: 'b' }]);
  });

  it('9.10 names with a backslash arrive', async () => {
    const channel = room();
    const followed = await subscribe(openPusher(server), channel);
    await createSdk(server).trigger(channel, 'App\\Events\\OrderShipped', { id: 1 });
    expect(await followed.next('App\\Events\\OrderShipped')).toEqual({ id: 1 });
  });

  it('9.11 a socket_id "undefined" is no failure', async () => {
    const body = { name: 'x', channel: room(), data: '', socket_id: 'undefined' };
    expect((await server.api.post('/events', body)).status).toBe(200);
    const batch = [body, { ...body, socket_id: 'null' }];
    expect((await server.api.post('/batch_events', { batch })).status).toBe(200);
  });

  it.each(['/timeline/v2/jsonp/1?session=1', '/pusher/auth', '/v2/stats', '/favicon.ico'])(
    '9.14 endpoints for statistics and JSONP are absent: %s',
    async (path) => {
      expect((await server.api.raw('GET', path)).status).toBe(404);
    },
  );

  it('9.15 an error is told to whoever made the mistake, and to nobody else', async () => {
    const channel = room('presence-');
    const [one, other] = [await connect(server), await connect(server)];
    await one.subscribed(channel, { user_id: 'a' });
    await other.subscribed(channel, { user_id: 'b' });
    for (const text of ['nonsense', '{"event":"what"}', '{"event":"client-x","channel":"x","data":""}']) {
      one.sendText(text);
      await one.waitFor('pusher:error');
    }
    one.signin('{"id":7}');
    one.subscribe(channel, { user_id: 'c' });
    await one.drain();
    expect(eventsOf(await other.drain())).not.toContain('pusher:error');
  });

  it('9.17 data of events is a string and the activity timeout is told', async () => {
    const client = await connect(server);
    const channel = room('cache-');
    await server.api.post('/events', { name: 'x', channel, data: { a: 1 } });
    client.subscribe(channel);
    expect(typeof (await client.waitFor('x')).data).toBe('string');
  });

  it('9.18 auth_signature may stand anywhere in the query', async () => {
    const path = `/apps/${server.appId}/channels`;
    const signed = [
      `auth_key=${server.key}`,
      `auth_timestamp=${Math.floor(Date.now() / 1000)}`,
      'auth_version=1.0',
      'info=x',
    ];
    const text = `GET\n${path}\n${signed.join('&')}`;
    const signature = `auth_signature=${createHmac('sha256', server.secret).update(text).digest('hex')}`;
    for (const position of [0, 2, 4]) {
      const query = [...signed].reverse().toSpliced(position, 0, signature).join('&');
      expect((await server.api.raw('GET', `${path}?${query}`)).status).toBe(200);
    }
  });

  it('9.19 a GET may say that its absent body is JSON', async () => {
    const headers = { 'Content-Type': 'application/json' };
    expect((await server.api.get('/channels', {}, { headers })).status).toBe(200);
  });

  it('9.20 100 channels with info are answered by the names that were given', async () => {
    const channels = Array.from({ length: 100 }, (_, index) => room(index % 2 === 0 ? 'presence-' : ''));
    const { json } = await server.api.trigger(channels, 'x', '', { info: 'user_count' });
    expect(Object.keys((json as { channels: object }).channels)).toEqual(channels);
  });
});
