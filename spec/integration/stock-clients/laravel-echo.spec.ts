import { afterEach, describe, expect, it } from '@jest/globals';
import Echo from 'laravel-echo';
import pusherJs from 'pusher-js';
import { type Stock, startStock } from '../../support/stock.ts';
import { transportOptions } from '../../support/stock-clients.ts';

let stock: Stock;
afterEach(() => stock.stop());

type Broadcaster = 'pusher' | 'reverb';

/**
 * Echo as a Laravel front-end sets it up. Without a user there is no bearer token, and nothing is authorised. The two
 * broadcasters are one connector, so one type does for both.
 */
function openEcho(user?: string, broadcaster: Broadcaster = 'pusher'): Echo<'pusher'> {
  const { application, server, port } = stock;
  return stock.opened(
    new Echo<'pusher'>({
      ...transportOptions(port),
      broadcaster: broadcaster as 'pusher',
      Pusher: pusherJs,
      key: server.key,
      authEndpoint: `${application.url}/broadcasting/auth`,
      userAuthentication: {
        transport: 'ajax',
        endpoint: `${application.url}/broadcasting/user-auth`,
        headers: {},
      },
      auth: { headers: {} },
      bearerToken: user ?? null,
    }),
  );
}

/** The parts of Echo's channels that specs wait on; their callbacks have no types of their own. */
interface EchoChannel {
  subscribed(callback: () => void): unknown;
  listen(event: string, callback: (data: unknown) => void): unknown;
}

function subscribed<C extends EchoChannel>(channel: C): Promise<C> {
  return new Promise((resolve) => {
    channel.subscribed(() => resolve(channel));
  });
}

/** What the listener that `listen` adds is called with, in order. */
class Calls {
  readonly #calls: unknown[] = [];
  #wake: (() => void) | undefined;

  constructor(listen: (listener: (data: unknown) => void) => unknown) {
    listen((data) => {
      this.#calls.push(data);
      this.#wake?.();
    });
  }

  /** How many have not been taken. */
  get left(): number {
    return this.#calls.length;
  }

  async next(): Promise<unknown> {
    while (this.#calls.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#calls.shift();
  }
}

function calls(channel: EchoChannel, event: string): Calls {
  return new Calls((listener) => channel.listen(event, listener));
}

describe.each<Broadcaster>(['pusher', 'reverb'])('Echo with broadcaster %s', (broadcaster) => {
  it('connects, and knows its socket id', async () => {
    stock = await startStock();
    const echo = openEcho(undefined, broadcaster);
    await subscribed(echo.channel('orders'));
    expect(echo.connectionStatus()).toBe('connected');
    expect(echo.socketId()).toMatch(/^\d+\.\d+$/);
  });

  it('hears Laravel events by class name and others by their own', async () => {
    stock = await startStock();
    const channel = await subscribed(openEcho(undefined, broadcaster).channel('orders'));
    const byClass = calls(channel, 'OrderShipped');
    const byNestedClass = calls(channel, 'Orders.Shipped');
    const byFullName = calls(channel, '\\Other\\Events\\Shipped');
    const byOwnName = calls(channel, '.order.shipped');
    await stock.sdk.trigger('orders', 'App\\Events\\OrderShipped', { id: 1 });
    await stock.sdk.trigger('orders', 'App\\Events\\Orders\\Shipped', { id: 2 });
    await stock.sdk.trigger('orders', 'Other\\Events\\Shipped', { id: 3 });
    await stock.sdk.trigger('orders', 'order.shipped', { id: 4 });
    expect(await byClass.next()).toEqual({ id: 1 });
    expect(await byNestedClass.next()).toEqual({ id: 2 });
    expect(await byFullName.next()).toEqual({ id: 3 });
    expect(await byOwnName.next()).toEqual({ id: 4 });
  });
});

describe('Echo on a public channel', () => {
  it('hears everything when it listens to all', async () => {
    stock = await startStock();
    const channel = await subscribed(openEcho().channel('orders'));
    const heard: unknown[] = [];
    channel.listenToAll((event: string, data: unknown) => heard.push([event, data]));
    const last = calls(channel, '.last');
    await stock.sdk.trigger('orders', 'App\\Events\\OrderShipped', { id: 1 });
    await stock.sdk.trigger('orders', 'last', {});
    await last.next();
    expect(heard).toEqual([
      ['OrderShipped', { id: 1 }],
      ['.last', {}],
    ]);
  });

  it('hears notifications', async () => {
    stock = await startStock();
    const channel = await subscribed(openEcho('ada').private('App.Models.User.1'));
    const notified = new Calls((listener) => channel.notification(listener));
    await stock.sdk.trigger(
      'private-App.Models.User.1',
      'Illuminate\\Notifications\\Events\\BroadcastNotificationCreated',
      { type: 'invoice-paid' },
    );
    expect(await notified.next()).toEqual({ type: 'invoice-paid' });
  });

  it('hears nothing more of an event it stopped listening to', async () => {
    stock = await startStock();
    const channel = await subscribed(openEcho().channel('orders'));
    const shipped = calls(channel, 'OrderShipped');
    const last = calls(channel, '.last');
    await stock.sdk.trigger('orders', 'App\\Events\\OrderShipped', { id: 1 });
    await shipped.next();
    channel.stopListening('OrderShipped');
    await stock.sdk.trigger('orders', 'App\\Events\\OrderShipped', { id: 2 });
    await stock.sdk.trigger('orders', 'last', {});
    await last.next();
    expect(shipped.left).toBe(0);
  });

  it('is left out of what its own request broadcasts to others', async () => {
    stock = await startStock();
    const sender = openEcho();
    const sent = calls(await subscribed(sender.channel('orders')), 'OrderShipped');
    const received = calls(await subscribed(openEcho().channel('orders')), 'OrderShipped');
    const socketId = sender.socketId() ?? 'undefined';
    await stock.sdk.trigger('orders', 'App\\Events\\OrderShipped', 'to others', { socket_id: socketId });
    await stock.sdk.trigger('orders', 'App\\Events\\OrderShipped', 'to all');
    expect(await received.next()).toBe('to others');
    expect(await received.next()).toBe('to all');
    expect(await sent.next()).toBe('to all');
  });
});

describe('Echo on a private channel', () => {
  it('hears events once the application has authorised it', async () => {
    stock = await startStock();
    const shipped = calls(await subscribed(openEcho('ada').private('orders.1')), 'OrderShipped');
    await stock.sdk.trigger('private-orders.1', 'App\\Events\\OrderShipped', { id: 1 });
    expect(await shipped.next()).toEqual({ id: 1 });
  });

  it('decrypts events of an encrypted one', async () => {
    stock = await startStock();
    const shipped = calls(await subscribed(openEcho('ada').encryptedPrivate('orders.1')), 'OrderShipped');
    await stock.sdk.trigger('private-encrypted-orders.1', 'App\\Events\\OrderShipped', { id: 1 });
    expect(await shipped.next()).toEqual({ id: 1 });
  });

  it('is told of the error when the application refuses', async () => {
    stock = await startStock();
    const channel = openEcho().private('orders.1');
    const errors = new Calls((listener) => channel.error(listener));
    expect(await errors.next()).toMatchObject({ type: 'AuthError', status: 403 });
  });

  it('is told of the error when the server refuses the signature', async () => {
    stock = await startStock({ applicationSecret: 'not-the-secret' });
    const echo = openEcho('mallory');
    const channel = echo.private('orders.1');
    const errors = new Calls((listener) => channel.error(listener));
    expect(await errors.next()).toMatchObject({ type: 'AuthError', status: 401 });
    expect(echo.connectionStatus()).toBe('connected');
  });

  it('whispers to the others, not to itself', async () => {
    stock = await startStock();
    const ada = await subscribed(openEcho('ada').private('chat'));
    const bob = await subscribed(openEcho('bob').private('chat'));
    const heardByAda = new Calls((listener) => ada.listenForWhisper('typing', listener));
    const heardByBob = new Calls((listener) => bob.listenForWhisper('typing', listener));
    ada.whisper('typing', { name: 'ada' });
    expect(await heardByBob.next()).toEqual({ name: 'ada' });
    bob.whisper('typing', { name: 'bob' });
    expect(await heardByAda.next()).toEqual({ name: 'bob' });
    expect(heardByAda.left).toBe(0);
  });
});

describe('Echo on a presence channel', () => {
  const info = (user: string): object => ({ id: user, name: user.toUpperCase() });

  it('knows who is here, who is joining and who is leaving', async () => {
    stock = await startStock();
    const ada = openEcho('ada').join('room');
    const here = new Calls((listener) => ada.here(listener));
    const joining = new Calls((listener) => ada.joining(listener));
    const leaving = new Calls((listener) => ada.leaving(listener));
    expect(await here.next()).toEqual([info('ada')]);

    const bobsEcho = openEcho('bob');
    const bob = bobsEcho.join('room');
    const hereForBob = new Calls((listener) => bob.here(listener));
    expect(await hereForBob.next()).toEqual([info('ada'), info('bob')]);
    expect(await joining.next()).toEqual(info('bob'));
    bobsEcho.leave('room');
    expect(await leaving.next()).toEqual(info('bob'));
  });

  it('takes the tabs of a user for one who is there until the last is closed', async () => {
    stock = await startStock();
    const ada = openEcho('ada').join('room');
    const joining = new Calls((listener) => ada.joining(listener));
    const leaving = new Calls((listener) => ada.leaving(listener));
    await subscribed(ada);
    const tabs = [openEcho('bob'), openEcho('bob')];
    for (const tab of tabs) {
      const room = tab.join('room');
      const here = new Calls((listener) => room.here(listener));
      expect(await here.next()).toHaveLength(2);
    }
    for (const tab of tabs) tab.disconnect();
    await joining.next();
    await leaving.next();
    const late = openEcho('eve');
    await subscribed(late.join('room'));
    expect(await joining.next()).toEqual(info('eve'));
    expect(leaving.left).toBe(0);
  });

  it('hears events and whispers of the others', async () => {
    stock = await startStock();
    const ada = openEcho('ada').join('room');
    const bob = openEcho('bob').join('room');
    await Promise.all([subscribed(ada), subscribed(bob)]);
    const moved = calls(bob, 'Moved');
    const typing = new Calls((listener) => bob.listenForWhisper('typing', listener));
    ada.whisper('typing', { at: 1 });
    expect(await typing.next()).toEqual({ at: 1 });
    await stock.sdk.trigger('presence-room', 'App\\Events\\Moved', { to: 'e4' });
    expect(await moved.next()).toEqual({ to: 'e4' });
  });
});

describe('Echo that leaves', () => {
  it('leaves every kind of channel of that name', async () => {
    stock = await startStock();
    const echo = openEcho('ada');
    const names = ['room', 'private-room', 'private-encrypted-room', 'presence-room'];
    await subscribed(echo.channel('room'));
    await subscribed(echo.private('room'));
    await subscribed(echo.encryptedPrivate('room'));
    await subscribed(echo.join('room'));
    echo.leave('room');
    for (const name of names) {
      await stock.server.waitFor('channel.vacated', (line) => line['channel'] === name);
    }
    expect(echo.connectionStatus()).toBe('connected');
  });

  it('leaves one channel, or all, and can come back', async () => {
    stock = await startStock();
    const echo = openEcho('ada');
    await subscribed(echo.channel('orders'));
    await subscribed(echo.private('orders'));
    echo.leaveChannel('private-orders');
    await stock.server.waitFor('channel.vacated', (line) => line['channel'] === 'private-orders');
    echo.leaveAllChannels();
    await stock.server.waitFor('channel.vacated', (line) => line['channel'] === 'orders');
    const shipped = calls(await subscribed(echo.channel('orders')), 'OrderShipped');
    await stock.sdk.trigger('orders', 'App\\Events\\OrderShipped', { id: 1 });
    expect(await shipped.next()).toEqual({ id: 1 });
  });
});

describe('Echo when the server is replaced', () => {
  it('joins its channels again and goes on hearing', async () => {
    stock = await startStock({ throughRelay: true });
    const echo = openEcho('ada');
    const orders = echo.private('orders');
    const again = new Calls((listener) => orders.on('pusher:subscription_succeeded', listener));
    const room = echo.join('room');
    const here = new Calls((listener) => room.here(listener));
    const shipped = calls(orders, 'OrderShipped');
    await again.next();
    await here.next();
    const before = echo.socketId();
    await stock.replaceServer();
    await again.next();
    expect(await here.next()).toHaveLength(1);
    expect(echo.socketId()).not.toBe(before);
    await stock.sdk.trigger('private-orders', 'App\\Events\\OrderShipped', { id: 2 });
    expect(await shipped.next()).toEqual({ id: 2 });
  });
});
