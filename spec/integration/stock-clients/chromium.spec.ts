import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { launchBrowser, StockPage } from '../../support/browser.ts';
import { type Stock, startStock } from '../../support/stock.ts';
import { clientOptions } from '../../support/stock-clients.ts';

let browser: Browser | undefined;
afterAll(() => browser?.close());

let stock: Stock;
const pages: StockPage[] = [];
afterEach(async () => {
  for (const page of pages.splice(0)) await page.close();
  await stock.stop();
});

/** A page with pusher-js on it that has not connected yet. */
async function openPage(path = '/'): Promise<StockPage> {
  browser ??= await launchBrowser();
  const page = await StockPage.open(browser, `${stock.application.url}${path}`);
  pages.push(page);
  return page;
}

/** A page whose pusher-js is connected, as a user when it has one. */
async function connectPage(user?: string, path?: string): Promise<StockPage> {
  const page = await openPage(path);
  await page.connect(stock.server.key, clientOptions(stock.port, stock.application.url, user));
  await page.next('connection', 'connected');
  return page;
}

describe('a page in Chromium', () => {
  it('connects, and its console stays clean', async () => {
    stock = await startStock();
    const page = await connectPage();
    expect(await page.socketId()).toMatch(/^\d+\.\d+$/);
    await page.subscribe('news');
    await page.disconnect();
    expect(await page.state()).toBe('disconnected');
    expect(page.errors).toEqual([]);
  });

  it.each([
    'news',
    'private-news',
    'presence-news',
    'cache-news',
    'private-cache-news',
    'presence-cache-news',
  ])(
    'hears what is published on %s, until it unsubscribes and after it subscribed again',
    async (channel) => {
      stock = await startStock();
      const page = await connectPage('ada');
      await page.subscribe(channel);
      await stock.sdk.trigger(channel, 'headline', { text: 'Zoë ☃' });
      expect(await page.next(channel, 'headline')).toEqual({ text: 'Zoë ☃' });
      await page.unsubscribe(channel);
      await stock.server.waitFor('channel.vacated', (line) => line['channel'] === channel);
      await stock.sdk.trigger(channel, 'missed', {});
      await page.subscribe(channel);
      await stock.sdk.trigger(channel, 'headline', 'again');
      expect(await page.next(channel, 'headline')).toBe('again');
      expect(page.errors).toEqual([]);
    },
  );

  it.each(['private-encrypted-news', 'private-encrypted-cache-news'])(
    'decrypts what is published on %s with the bundle for it',
    async (channel) => {
      stock = await startStock();
      const page = await connectPage('ada', '/with-encryption/');
      await page.subscribe(channel);
      await stock.sdk.trigger(channel, 'headline', { secret: 'Zoë ☃' });
      expect(await page.next(channel, 'headline')).toEqual({ secret: 'Zoë ☃' });
      expect(page.errors).toEqual([]);
    },
  );

  it('is told that a cache channel is empty, or gets its last event first', async () => {
    stock = await startStock();
    const early = await connectPage();
    await early.subscribe('cache-price');
    await early.next('cache-price', 'pusher:cache_miss');
    await stock.sdk.trigger('cache-price', 'price', { now: 1 });
    expect(await early.next('cache-price', 'price')).toEqual({ now: 1 });
    const late = await connectPage();
    await late.subscribe('cache-price');
    expect(await late.next('cache-price', 'price')).toEqual({ now: 1 });
  });

  it('is refused a private channel when the signature is wrong, and stays connected', async () => {
    stock = await startStock({ applicationSecret: 'not-the-secret' });
    const page = await connectPage('mallory');
    await page.ask('private-news');
    expect(await page.next('private-news', 'pusher:subscription_error')).toMatchObject({ status: 401 });
    await page.subscribe('news');
    expect(await page.state()).toBe('connected');
    expect(page.errors).toEqual([]);
  });
});

describe('two pages in Chromium', () => {
  it('see each other come and go on a presence channel', async () => {
    stock = await startStock();
    const ada = await connectPage('ada');
    await ada.subscribe('presence-room');
    const bob = await connectPage('bob');
    await bob.subscribe('presence-room');
    expect(await bob.members('presence-room')).toEqual({
      count: 2,
      me: { id: 'bob', info: { id: 'bob', name: 'BOB' } },
      members: { ada: { id: 'ada', name: 'ADA' }, bob: { id: 'bob', name: 'BOB' } },
    });
    expect(await ada.next('presence-room', 'pusher:member_added')).toMatchObject({ id: 'bob' });
    await bob.close();
    expect(await ada.next('presence-room', 'pusher:member_removed')).toMatchObject({ id: 'bob' });
    expect(await ada.members('presence-room')).toMatchObject({ count: 1 });
  });

  it('send each other client events', async () => {
    stock = await startStock();
    const ada = await connectPage('ada');
    const bob = await connectPage('bob');
    for (const page of [ada, bob]) await page.subscribe('private-chat');
    await ada.trigger('private-chat', 'client-typing', { who: 'ada' });
    expect(await bob.next('private-chat', 'client-typing')).toEqual({ who: 'ada' });
    await bob.trigger('private-chat', 'client-typing', { who: 'bob' });
    expect(await ada.next('private-chat', 'client-typing')).toEqual({ who: 'bob' });
    expect([...ada.errors, ...bob.errors]).toEqual([]);
  });

  it('of one user both get what is sent to the user, and are both stopped when the user is', async () => {
    stock = await startStock();
    const tabs = [await connectPage('ada'), await connectPage('ada')];
    for (const tab of tabs) await tab.signin();
    await stock.sdk.sendToUser('ada', 'mail', { subject: 'hello' });
    for (const tab of tabs) expect(await tab.next('user', 'mail')).toEqual({ subject: 'hello' });
    await stock.sdk.terminateUserConnections('ada');
    for (const tab of tabs) {
      await tab.next('connection', 'disconnected');
      expect(tab.errors).toEqual([]);
    }
  });

  it('see on a watchlist when the other is online', async () => {
    stock = await startStock({
      app: { watchlist: true },
      userOf: (user) => (user === 'ada' ? { id: user, watchlist: ['bob'] } : { id: user }),
    });
    const ada = await connectPage('ada');
    await ada.signin();
    expect(await ada.next('watchlist', 'offline')).toEqual({ name: 'offline', user_ids: ['bob'] });
    const bob = await connectPage('bob');
    await bob.signin();
    expect(await ada.next('watchlist', 'online')).toEqual({ name: 'online', user_ids: ['bob'] });
    await bob.close();
    expect(await ada.next('watchlist', 'offline')).toEqual({ name: 'offline', user_ids: ['bob'] });
  });
});

describe('a page in Chromium when the server', () => {
  it('is replaced reconnects after 4200, with its channels and its user', async () => {
    stock = await startStock({ throughRelay: true });
    const page = await connectPage('ada');
    await page.signin();
    const channels = ['news', 'private-news', 'presence-news'];
    for (const channel of channels) await page.subscribe(channel);
    const before = await page.socketId();
    await stock.replaceServer();
    expect(await page.next('connection', 'error')).toMatchObject({ data: { code: 4200 } });
    for (const channel of channels) await page.next(channel, 'pusher:subscription_succeeded');
    await page.next('user', 'ready');
    expect(await page.socketId()).not.toBe(before);
    for (const channel of channels) {
      await stock.sdk.trigger(channel, 'headline', 'after restart');
      expect(await page.next(channel, 'headline')).toBe('after restart');
    }
    await stock.sdk.sendToUser('ada', 'mail', 'after restart');
    expect(await page.next('user', 'mail')).toBe('after restart');
    expect(page.errors).toEqual([]);
  });

  it('is full comes back after 4100 when there is a slot', async () => {
    stock = await startStock({ app: { maxConnections: 1 }, config: { server: { overCapacityCode: 4100 } } });
    const occupant = await connectPage();
    const page = await openPage();
    await page.connect(stock.server.key, clientOptions(stock.port, stock.application.url, undefined));
    expect(await page.next('connection', 'connecting_in')).toBe(1);
    await occupant.close();
    await page.next('connection', 'connected');
    expect(page.errors).toEqual([]);
  });

  it('does not allow its origin stops, and is told 4009', async () => {
    stock = await startStock({ app: { allowedOrigins: ['https://example.com'] } });
    const page = await openPage();
    await page.connect(stock.server.key, clientOptions(stock.port, stock.application.url, undefined));
    await page.next('connection', 'disconnected');
    const refused = await page.next('connection', 'error');
    expect(refused).toMatchObject({
      error: { data: { code: 4009, message: `Origin ${stock.application.url} is not allowed for this app` } },
    });
    expect(await page.state()).toBe('disconnected');
    expect(page.errors).toEqual([]);
  });

  it('allows hosts of its kind connects', async () => {
    stock = await startStock({ app: { allowedOrigins: ['https://example.com', 'http://127.0.0.1:*'] } });
    const page = await connectPage();
    await page.subscribe('news');
  });
});
