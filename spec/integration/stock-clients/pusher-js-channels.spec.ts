import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type Stock, startStock, type StockOptions } from '../../support/stock.ts';
import { follow, Heard, subscribe } from '../../support/stock-clients.ts';

let stock: Stock;

/** One server for all specs of a block: they meet on no channel, and each ends its clients. */
function useServer(options: StockOptions = {}): void {
  beforeAll(async () => {
    stock = await startStock(options);
  });
  afterEach(() => stock.release());
  afterAll(() => stock.stop());
}

let lastNumber = 0;

/** A channel that no other spec uses. */
function named(prefix: string): string {
  lastNumber++;
  return `${prefix}-${lastNumber}`;
}

const channels = [
  ['public', 'news'],
  ['private', 'private-news'],
  ['encrypted', 'private-encrypted-news'],
  ['presence', 'presence-news'],
  ['cache', 'cache-news'],
  ['private cache', 'private-cache-news'],
  ['presence cache', 'presence-cache-news'],
  ['encrypted cache', 'private-encrypted-cache-news'],
] as const;
const cacheChannels = channels.filter(([kind]) => kind.includes('cache'));
const privateChannels = channels.filter(([kind]) => kind !== 'public' && kind !== 'cache');

describe('with an application that authorises', () => {
  useServer();

  describe.each(channels)('the %s channel', (_kind, prefix) => {
    it('delivers what the server SDK triggers, in order and as it was', async () => {
      const name = named(prefix);
      const pusher = await stock.connect('ada');
      const news = await subscribe(pusher, name);
      const events = [
        ['headline', { text: 'Zoë ☃', list: [1, null, { deep: true }] }],
        ['plain', 'no JSON at all'],
        ['App\\Events\\Published', { id: 1 }],
        ['empty', {}],
      ] as const;
      for (const [event, data] of events) await stock.sdk.trigger(name, event, data);
      for (const [event, data] of events) expect(await news.next(event)).toEqual(data);
      expect(news.events.slice(-4)).toEqual(events.map(([event]) => event));
    });

    it('delivers to every subscriber except the excluded socket', async () => {
      const name = named(prefix);
      const ada = await stock.connect('ada');
      const bob = await stock.connect('bob');
      const adas = await subscribe(ada, name);
      const bobs = await subscribe(bob, name);
      await stock.sdk.trigger(name, 'headline', 'not for ada', { socket_id: ada.connection.socket_id });
      await stock.sdk.trigger(name, 'headline', 'for all');
      expect(await bobs.next('headline')).toBe('not for ada');
      expect(await bobs.next('headline')).toBe('for all');
      expect(await adas.next('headline')).toBe('for all');
    });

    it('is silent after unsubscribe and speaks again after the next subscribe', async () => {
      const name = named(prefix);
      const pusher = await stock.connect('ada');
      const first = await subscribe(pusher, name);
      pusher.unsubscribe(name);
      await stock.server.waitFor('channel.vacated', (line) => line['channel'] === name);
      await stock.sdk.trigger(name, 'missed', 1);
      const second = await subscribe(pusher, name);
      await stock.sdk.trigger(name, 'headline', 2);
      expect(await second.next('headline')).toBe(2);
      expect(first.events).not.toContain('missed');
      expect(first.events).not.toContain('headline');
    });

    it('survives an unsubscribe and a subscribe in the same breath', async () => {
      const name = named(prefix);
      const pusher = await stock.connect('ada');
      const connection = new Heard(pusher.connection);
      await subscribe(pusher, name);
      pusher.unsubscribe(name);
      const again = await subscribe(pusher, name);
      await stock.sdk.trigger(name, 'headline', 'once');
      await stock.sdk.trigger(name, 'end', 'of story');
      expect(await again.next('end')).toBe('of story');
      expect(again.events.filter((event) => event === 'headline')).toHaveLength(1);
      expect(connection.events).not.toContain('error');
    });

    it('is left when the unsubscribe comes before the subscription is confirmed', async () => {
      const name = named(prefix);
      const pusher = await stock.connect('ada');
      pusher.subscribe(name);
      pusher.unsubscribe(name);
      await stock.server.waitFor('channel.vacated', (line) => line['channel'] === name);
      const again = await subscribe(pusher, name);
      await stock.sdk.trigger(name, 'headline', 'back');
      expect(await again.next('headline')).toBe('back');
    });
  });

  describe.each(cacheChannels)('the %s channel', (_kind, prefix) => {
    it('tells that it is empty, then begins with the last event for those who come later', async () => {
      const name = named(prefix);
      const early = await subscribe(await stock.connect('ada'), name);
      await early.next('pusher:cache_miss');
      await stock.sdk.trigger(name, 'price', { now: 1 });
      await stock.sdk.trigger(name, 'price', { now: 2 });
      expect(await early.next('price')).toEqual({ now: 1 });
      expect(await early.next('price')).toEqual({ now: 2 });

      const late = await subscribe(await stock.connect('bob'), name);
      expect(await late.next('price')).toEqual({ now: 2 });
      await stock.sdk.trigger(name, 'price', { now: 3 });
      expect(await late.next('price')).toEqual({ now: 3 });
      expect(late.events.filter((event) => !event.startsWith('pusher:member'))).toEqual([
        'pusher:subscription_succeeded',
        'price',
        'price',
      ]);
    });

    it('begins with the last event again after it was empty of subscribers', async () => {
      const name = named(prefix);
      const pusher = await stock.connect('ada');
      await stock.sdk.trigger(name, 'price', { now: 1 });
      expect(await (await subscribe(pusher, name)).next('price')).toEqual({ now: 1 });
      pusher.unsubscribe(name);
      await stock.server.waitFor('channel.vacated', (line) => line['channel'] === name);
      expect(await (await subscribe(pusher, name)).next('price')).toEqual({ now: 1 });
    });
  });

  describe.each(privateChannels)('the %s channel', (_kind, prefix) => {
    it('is not asked for when the application refuses', async () => {
      const name = named(prefix);
      const pusher = await stock.connect();
      const refused = follow(pusher, name);
      expect(await refused.next('pusher:subscription_error')).toMatchObject({
        type: 'AuthError',
        status: 403,
      });
      expect(pusher.connection.state).toBe('connected');
    });
  });
});

describe('with an application that signs with another secret', () => {
  useServer({ applicationSecret: 'not-the-secret' });

  describe.each(privateChannels)('the %s channel', (_kind, prefix) => {
    it('is refused with a subscription error when the signature is wrong; the connection stays', async () => {
      const name = named(prefix);
      const pusher = await stock.connect('mallory');
      const refused = follow(pusher, name);
      expect(await refused.next('pusher:subscription_error')).toMatchObject({
        type: 'AuthError',
        status: 401,
      });
      expect(pusher.connection.state).toBe('connected');
      await stock.sdk.trigger(name, 'secret', 'for others');
      const news = await subscribe(pusher, named('news'));
      await stock.sdk.trigger(news.channel.name, 'headline', 'for all');
      expect(await news.next('headline')).toBe('for all');
      expect(refused.events).not.toContain('secret');
    });
  });
});
