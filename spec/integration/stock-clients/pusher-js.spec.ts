import { afterEach, describe, expect, it } from '@jest/globals';
import { memberOf } from '../../support/application.ts';
import { closeClients, connect as connectRaw } from '../../support/client.ts';
import { startServerProcess } from '../../support/process.ts';
import { type Stock, startStock } from '../../support/stock.ts';
import {
  clientOptions,
  follow,
  Heard,
  join,
  nextWithSender,
  PusherClient,
  reached,
  signIn,
  subscribe,
  userReady,
} from '../../support/stock-clients.ts';

let stock: Stock;
afterEach(async () => {
  closeClients();
  await stock.stop();
});

/** One of each kind. */
const channels = [
  'news',
  'private-news',
  'private-encrypted-news',
  'presence-news',
  'cache-news',
  'private-cache-news',
  'presence-cache-news',
  'private-encrypted-cache-news',
];

describe('the connection', () => {
  it('is established with a socket id that the server SDK takes', async () => {
    stock = await startStock();
    const pusher = await stock.connect();
    expect(pusher.connection.socket_id).toMatch(/^\d+\.\d+$/);
    expect(() => stock.sdk.authorizeChannel(pusher.connection.socket_id, 'private-news')).not.toThrow();
  });

  it('is kept up by the pings of the client', async () => {
    stock = await startStock();
    const pusher = stock.open(undefined, { activityTimeout: 100 });
    const connection = new Heard(pusher.connection);
    await reached(pusher, 'connected');
    expect(await connection.next('message')).toMatchObject({ event: 'pusher:pong' });
    expect(await connection.next('message')).toMatchObject({ event: 'pusher:pong' });
    expect(pusher.connection.state).toBe('connected');
  });

  it('is given up when the key is unknown', async () => {
    stock = await startStock();
    const pusher = new PusherClient('nobody', clientOptions(stock.port, stock.application.url, undefined));
    stock.opened(pusher);
    const connection = new Heard(pusher.connection);
    await reached(pusher, 'disconnected');
    expect(await connection.next('error')).toMatchObject({ error: { data: { code: 4001 } } });
  });

  it('is given up when the app is disabled', async () => {
    stock = await startStock({ app: { enabled: false } });
    const pusher = stock.open();
    const connection = new Heard(pusher.connection);
    await reached(pusher, 'disconnected');
    expect(await connection.next('error')).toMatchObject({ error: { data: { code: 4003 } } });
  });

  it('is given up when the app is at its maximum of connections', async () => {
    stock = await startStock({ app: { maxConnections: 1 } });
    await stock.connect();
    const pusher = stock.open();
    const connection = new Heard(pusher.connection);
    await reached(pusher, 'disconnected');
    expect(await connection.next('error')).toMatchObject({ error: { data: { code: 4004 } } });
  });

  it('is tried again over TLS when the app is for TLS only', async () => {
    stock = await startStock({ app: { tlsOnly: true } });
    const pusher = stock.open();
    const connection = new Heard(pusher.connection);
    expect(await connection.next('error')).toMatchObject({ error: { data: { code: 4000 } } });
    expect(pusher.connection.isUsingTLS()).toBe(true);
  });

  it('is tried again after 4100 until there is a slot', async () => {
    stock = await startStock({ app: { maxConnections: 1 }, config: { server: { overCapacityCode: 4100 } } });
    const occupant = await stock.connect();
    const pusher = stock.open();
    const connection = new Heard(pusher.connection);
    const news = follow(pusher, 'news');
    expect(await connection.next('error')).toMatchObject({ error: { data: { code: 4100 } } });
    expect(await connection.next('connecting_in')).toBe(1);
    occupant.disconnect();
    await news.next('pusher:subscription_succeeded');
    expect(pusher.connection.state).toBe('connected');
  });

  it('moves to the next server after 4200, with its channels, its members and its user', async () => {
    stock = await startStock({ throughRelay: true });
    const pusher = await stock.connect('ada');
    const connection = new Heard(pusher.connection);
    const user = new Heard(pusher.user);
    await signIn(pusher);
    const followed = [];
    for (const name of channels) followed.push(await subscribe(pusher, name));
    const before = pusher.connection.socket_id;

    const signedInAgain = userReady(pusher);
    await stock.replaceServer();
    expect(await connection.next('error')).toMatchObject({ data: { code: 4200 } });
    for (const news of followed) await news.next('pusher:subscription_succeeded');
    await signedInAgain;
    expect(pusher.connection.socket_id).not.toBe(before);

    for (const news of followed) {
      await stock.sdk.trigger(news.channel.name, 'headline', { after: 'restart' });
      expect(await news.next('headline')).toEqual({ after: 'restart' });
    }
    await stock.sdk.sendToUser('ada', 'mail', 'after restart');
    expect(await user.next('mail')).toBe('after restart');
  });

  it('returns to a server that is restarted on the same port', async () => {
    stock = await startStock({ config: { drain: { perWave: 1, waveMs: 2_000 } } });
    // The first to go is closed once the port is free; the client under test follows in the next wave.
    const first = await connectRaw(stock.server);
    const pusher = await stock.connect();
    const news = await subscribe(pusher, 'news');

    const stopped = stock.server.stop();
    expect(await first.closed).toMatchObject({ code: 4200 });
    const next = await startServerProcess({}, { SPILLWAY_SERVER_PORT: String(stock.port) });
    try {
      await news.next('pusher:subscription_succeeded');
      await stock.sdk.trigger('news', 'headline', 'back');
      expect(await news.next('headline')).toBe('back');
      expect(await stopped).toBe(0);
    } finally {
      pusher.disconnect();
      await next.stop();
    }
  }, 40_000);
});

describe('subscriptions', () => {
  it('are made once, however often the client asks', async () => {
    stock = await startStock();
    const pusher = await stock.connect();
    const connection = new Heard(pusher.connection);
    const news = await subscribe(pusher, 'news');
    pusher.subscribe('news');
    pusher.send_event('pusher:subscribe', { channel: 'news', auth: '' });
    expect(await connection.next('error')).toMatchObject({
      data: { message: 'Existing subscription to channel news' },
    });
    await stock.sdk.trigger('news', 'headline', 1);
    await stock.sdk.trigger('news', 'end', 2);
    await news.next('end');
    expect(news.events.filter((event) => event === 'headline')).toHaveLength(1);
    expect(pusher.connection.state).toBe('connected');
  });

  it('are refused with a subscription error for a name that is none', async () => {
    stock = await startStock();
    const refused = follow(await stock.connect(), 'no spaces');
    expect(await refused.next('pusher:subscription_error')).toMatchObject({
      type: 'InvalidChannel',
      status: 400,
    });
  });

  it('are counted where the app asks for it', async () => {
    stock = await startStock({ app: { subscriptionCount: true } });
    const first = await subscribe(await stock.connect(), 'news');
    expect(await first.next('pusher:subscription_count')).toEqual({ subscription_count: 1 });
    const other = await stock.connect();
    await subscribe(other, 'news');
    expect(await first.next('pusher:subscription_count')).toEqual({ subscription_count: 2 });
    expect(first.channel.subscriptionCount).toBe(2);
    other.disconnect();
    expect(await first.next('pusher:subscription_count')).toEqual({ subscription_count: 1 });
  });

  it('of one connection all hear what is triggered to many channels at once', async () => {
    stock = await startStock();
    const pusher = await stock.connect('ada');
    const everything = new Heard(pusher);
    const followed = [
      await subscribe(pusher, 'news'),
      await subscribe(pusher, 'private-news'),
      await subscribe(pusher, 'presence-news'),
    ];
    await stock.sdk.trigger(
      followed.map(({ channel }) => channel.name),
      'headline',
      { id: 1 },
    );
    for (const news of followed) expect(await news.next('headline')).toEqual({ id: 1 });
    await stock.sdk.trigger('news', 'end', {});
    await everything.next('end');
    expect(everything.events.filter((event) => event === 'headline')).toHaveLength(followed.length);
  });

  it('hear their item of a batch', async () => {
    stock = await startStock();
    const pusher = await stock.connect('ada');
    const news = await subscribe(pusher, 'news');
    const secret = await subscribe(pusher, 'private-encrypted-news');
    await stock.sdk.triggerBatch([
      { channel: 'news', name: 'headline', data: { id: 1 } },
      { channel: 'private-encrypted-news', name: 'headline', data: { id: 2 } },
      { channel: 'news', name: 'headline', data: 'for others', socket_id: pusher.connection.socket_id },
      { channel: 'news', name: 'headline', data: { id: 3 } },
    ]);
    expect(await news.next('headline')).toEqual({ id: 1 });
    expect(await news.next('headline')).toEqual({ id: 3 });
    expect(await secret.next('headline')).toEqual({ id: 2 });
  });
});

describe('presence', () => {
  it('shows who is there, who comes and who goes', async () => {
    stock = await startStock();
    const ada = await join(await stock.connect('ada'), 'presence-room');
    expect(ada.channel.members).toMatchObject({
      count: 1,
      me: { id: 'ada', info: { id: 'ada', name: 'ADA' } },
    });
    const bobsPusher = await stock.connect('bob');
    const bob = await join(bobsPusher, 'presence-room');
    expect(bob.channel.members).toMatchObject({
      count: 2,
      members: { ada: memberOf('ada').user_info, bob: memberOf('bob').user_info },
    });
    expect(await ada.next('pusher:member_added')).toEqual({ id: 'bob', info: { id: 'bob', name: 'BOB' } });
    expect(ada.channel.members.count).toBe(2);

    bobsPusher.unsubscribe('presence-room');
    expect(await ada.next('pusher:member_removed')).toEqual({ id: 'bob', info: { id: 'bob', name: 'BOB' } });
    await join(bobsPusher, 'presence-room');
    await ada.next('pusher:member_added');
    bobsPusher.disconnect();
    await ada.next('pusher:member_removed');
    expect(ada.channel.members.count).toBe(1);
    expect(bob.events).not.toContain('pusher:member_added');
  });

  it('counts the tabs of a user as one member', async () => {
    stock = await startStock();
    const ada = await join(await stock.connect('ada'), 'presence-room');
    const firstTab = await stock.connect('bob');
    const secondTab = await stock.connect('bob');
    await join(firstTab, 'presence-room');
    const second = await join(secondTab, 'presence-room');
    expect(second.channel.members.count).toBe(2);
    firstTab.disconnect();
    await stock.server.waitFor(
      'connection.closed',
      (line) => line['socketId'] === firstTab.connection.socket_id,
    );
    await stock.sdk.trigger('presence-room', 'still', 'both');
    await ada.next('still');
    expect(ada.channel.members.count).toBe(2);
    secondTab.disconnect();
    await ada.next('pusher:member_removed');
    expect(ada.events.filter((event) => event.startsWith('pusher:member_'))).toEqual([
      'pusher:member_added',
      'pusher:member_removed',
    ]);
  });

  it('takes the signed-in user where the application names no member', async () => {
    stock = await startStock({
      memberOf: () => undefined,
      userOf: (user) => ({ id: user, user_info: { name: 'from sign-in' } }),
    });
    const pusher = await stock.connect('ada');
    pusher.signin();
    const room = await join(pusher, 'presence-room');
    expect(room.channel.members.me).toEqual({ id: 'ada', info: { name: 'from sign-in' } });
  });

  it('refuses a member too many with a subscription error', async () => {
    stock = await startStock({ app: { presence: { maxMembers: 1 } } });
    const ada = await stock.connect('ada');
    await join(ada, 'presence-room');
    const bob = follow(await stock.connect('bob'), 'presence-room');
    expect(await bob.next('pusher:subscription_error')).toMatchObject({ type: 'LimitReached', status: 403 });
    const secondTab = await join(await stock.connect('ada'), 'presence-room');
    expect(secondTab.channel.members.count).toBe(1);
  });

  it('refuses user info that is too large with a subscription error', async () => {
    stock = await startStock({
      memberOf: (user) => ({ user_id: user, user_info: { essay: 'x'.repeat(1024) } }),
    });
    const refused = follow(await stock.connect('ada'), 'presence-room');
    expect(await refused.next('pusher:subscription_error')).toMatchObject({ status: 400 });
  });
});

describe('client events', () => {
  it('reach the others on a private channel, not the sender', async () => {
    stock = await startStock();
    const ada = await subscribe(await stock.connect('ada'), 'private-chat');
    const bob = await subscribe(await stock.connect('bob'), 'private-chat');
    expect(ada.channel.trigger('client-typing', { who: 'ada' })).toBe(true);
    expect(await bob.next('client-typing')).toEqual({ who: 'ada' });
    bob.channel.trigger('client-typing', 'text');
    expect(await ada.next('client-typing')).toBe('text');
    expect(ada.events.filter((event) => event === 'client-typing')).toHaveLength(1);
  });

  it('say on a presence channel who sent them, and reach the other tab of the sender', async () => {
    stock = await startStock();
    const first = await subscribe(await stock.connect('ada'), 'presence-chat');
    const second = await subscribe(await stock.connect('ada'), 'presence-chat');
    const heard = nextWithSender(second.channel, 'client-typing');
    first.channel.trigger('client-typing', { from: 'first tab' });
    expect(await heard).toEqual({ data: { from: 'first tab' }, sender: 'ada' });
  });

  it('say nothing of a sender on a private channel', async () => {
    stock = await startStock();
    const ada = await subscribe(await stock.connect('ada'), 'private-chat');
    const bob = await subscribe(await stock.connect('bob'), 'private-chat');
    const heard = nextWithSender(bob.channel, 'client-typing');
    ada.channel.trigger('client-typing', {});
    expect(await heard).toEqual({ data: {}, sender: undefined });
  });

  it('are refused on a public channel and where the app has them off; the connection stays', async () => {
    stock = await startStock({ app: { clientEvents: { enabled: false } } });
    const pusher = await stock.connect('ada');
    const connection = new Heard(pusher.connection);
    const chat = await subscribe(pusher, 'private-chat');
    chat.channel.trigger('client-typing', {});
    expect(await connection.next('error')).toMatchObject({
      data: { message: expect.stringContaining('To send client events') },
    });
    expect(pusher.connection.state).toBe('connected');
  });

  it('are refused on a public channel; the connection stays', async () => {
    stock = await startStock();
    const pusher = await stock.connect('ada');
    const connection = new Heard(pusher.connection);
    const chat = await subscribe(pusher, 'chat');
    chat.channel.trigger('client-typing', {});
    expect(await connection.next('error')).toMatchObject({
      data: { message: expect.stringContaining('private and presence channels') },
    });
    expect(pusher.connection.state).toBe('connected');
  });

  it('beyond the rate are refused with 4301; the connection stays', async () => {
    stock = await startStock();
    const ada = await stock.connect('ada');
    const connection = new Heard(ada.connection);
    const chat = await subscribe(ada, 'private-chat');
    const bob = await subscribe(await stock.connect('bob'), 'private-chat');
    for (let count = 0; count < 30; count++) chat.channel.trigger('client-typing', { count });
    expect(await connection.next('error')).toMatchObject({ data: { code: 4301 } });
    expect(await bob.next('client-typing')).toEqual({ count: 0 });
    await stock.sdk.trigger('private-chat', 'end', {});
    await chat.next('end');
    expect(ada.connection.state).toBe('connected');
  });

  it('are not what a cache channel begins with', async () => {
    stock = await startStock();
    const ada = await subscribe(await stock.connect('ada'), 'private-cache-chat');
    const bob = await subscribe(await stock.connect('bob'), 'private-cache-chat');
    ada.channel.trigger('client-typing', {});
    await bob.next('client-typing');
    const late = await subscribe(await stock.connect('eve'), 'private-cache-chat');
    await late.next('pusher:cache_miss');
  });
});

describe('signing in', () => {
  it('makes the connection the user’s, on every tab', async () => {
    stock = await startStock({ userOf: (user) => ({ id: user, user_info: { name: 'Ada' } }) });
    const tabs = [await stock.connect('ada'), await stock.connect('ada')];
    const heard = tabs.map((tab) => new Heard(tab.user));
    for (const tab of tabs) {
      await signIn(tab);
      expect(tab.user.user_data).toEqual({ id: 'ada', user_info: { name: 'Ada' } });
    }
    await stock.sdk.sendToUser('ada', 'mail', { subject: 'hello' });
    for (const user of heard) expect(await user.next('mail')).toEqual({ subject: 'hello' });
  });

  it('keeps what is sent to one user from the others', async () => {
    stock = await startStock();
    const ada = await stock.connect('ada');
    const bob = await stock.connect('bob');
    const [adas, bobs] = [new Heard(ada.user), new Heard(bob.user)];
    for (const pusher of [ada, bob]) {
      await signIn(pusher);
    }
    await stock.sdk.sendToUser('ada', 'mail', 'for ada');
    await stock.sdk.sendToUser('bob', 'mail', 'for bob');
    expect(await bobs.next('mail')).toBe('for bob');
    expect(await adas.next('mail')).toBe('for ada');
    expect(bobs.events.filter((event) => event === 'mail')).toHaveLength(1);
  });

  it('is refused with an error when the signature is wrong; the connection stays', async () => {
    stock = await startStock({ applicationSecret: 'not-the-secret' });
    const pusher = await stock.connect('mallory');
    const connection = new Heard(pusher.connection);
    pusher.signin();
    expect(await connection.next('error')).toMatchObject({ data: { code: 4009 } });
    await subscribe(pusher, 'news');
    expect(pusher.connection.state).toBe('connected');
    expect(pusher.user.user_data).toBeNull();
  });

  it('is not asked for when the application refuses', async () => {
    stock = await startStock();
    const pusher = await stock.connect();
    const user = new Heard(pusher.user);
    pusher.signin();
    expect(await user.next('pusher:signin_error')).toMatchObject({ type: 'AuthError', status: 403 });
  });

  it('lets the application end all connections of a user for good, and nobody else’s', async () => {
    stock = await startStock();
    const tabs = [await stock.connect('ada'), await stock.connect('ada')];
    const heard = tabs.map((tab) => new Heard(tab.connection));
    const other = await stock.connect('bob');
    for (const pusher of [...tabs, other]) await signIn(pusher);
    await stock.sdk.terminateUserConnections('ada');
    for (const tab of tabs) await reached(tab, 'disconnected');
    for (const connection of heard) {
      expect(await connection.next('error')).toMatchObject({ data: { code: 4009 } });
    }
    await subscribe(other, 'news');
    expect(other.connection.state).toBe('connected');
  });

  it('shows who of the watchlist is online, then who comes and goes', async () => {
    const watchlist = ['bob', 'eve'];
    stock = await startStock({
      app: { watchlist: true },
      userOf: (user) => (user === 'ada' ? { id: user, watchlist } : { id: user }),
    });
    const bob = await stock.connect('bob');
    await signIn(bob);
    const ada = await stock.connect('ada');
    const watched = new Heard(ada.user.watchlist);
    await signIn(ada);
    expect(await watched.next('online')).toEqual({ name: 'online', user_ids: ['bob'] });
    expect(await watched.next('offline')).toEqual({ name: 'offline', user_ids: ['eve'] });

    await signIn(await stock.connect('eve'));
    expect(await watched.next('online')).toEqual({ name: 'online', user_ids: ['eve'] });
    bob.disconnect();
    expect(await watched.next('offline')).toEqual({ name: 'offline', user_ids: ['bob'] });
  });

  it('shows a user as online until the last tab is gone', async () => {
    stock = await startStock({
      app: { watchlist: true },
      userOf: (user) => (user === 'ada' ? { id: user, watchlist: ['bob'] } : { id: user }),
    });
    const ada = await stock.connect('ada');
    const watched = new Heard(ada.user.watchlist);
    await signIn(ada);
    await watched.next('offline');
    const tabs = [await stock.connect('bob'), await stock.connect('bob')];
    for (const tab of tabs) await signIn(tab);
    for (const tab of tabs) tab.disconnect();
    await watched.next('online');
    await watched.next('offline');
    expect(watched.events).toEqual(['offline', 'online', 'offline']);
  });
});
