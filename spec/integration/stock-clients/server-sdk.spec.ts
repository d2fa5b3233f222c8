import { afterEach, describe, expect, it } from '@jest/globals';
import Pusher from 'pusher';
import { testApp } from '../../support/server.ts';
import { type Stock, startStock } from '../../support/stock.ts';
import { createSdk, Heard, signIn, subscribe } from '../../support/stock-clients.ts';

let stock: Stock;
afterEach(() => stock.stop());

/** The body of an answer: always a JSON object (protocol.md 7.1). */
async function bodyOf(answer: Promise<Pusher.Response>): Promise<unknown> {
  const response = await answer;
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^application\/json/);
  return response.json() as Promise<unknown>;
}

interface Refusal {
  readonly status: number | undefined;
  readonly body: string | undefined;
}

async function refusalOf(answer: Promise<Pusher.Response>): Promise<Refusal> {
  try {
    await answer;
  } catch (error) {
    if (error instanceof Pusher.RequestError) return { status: error.status, body: error.body };
    throw error;
  }
  throw new Error('the request was not refused');
}

describe('trigger', () => {
  it('is answered with an empty object, whether anybody listens or not', async () => {
    stock = await startStock();
    expect(await bodyOf(stock.sdk.trigger('nobody-here', 'headline', { id: 1 }))).toEqual({});
  });

  it('answers the counts it was asked for, each where it applies', async () => {
    stock = await startStock({ app: { subscriptionCount: true } });
    const tabs = [await stock.connect('ada'), await stock.connect('ada')];
    for (const tab of tabs) {
      await subscribe(tab, 'presence-room');
      await subscribe(tab, 'news');
    }
    const info = { info: 'user_count,subscription_count' };
    const body = await bodyOf(stock.sdk.trigger(['presence-room', 'news', 'empty'], 'headline', {}, info));
    expect(body).toEqual({
      channels: {
        'presence-room': { user_count: 1, subscription_count: 2 },
        news: { subscription_count: 2 },
        empty: { subscription_count: 0 },
      },
    });
  });

  it('takes 100 channels at once, and a channel given twice hears it once', async () => {
    stock = await startStock();
    const pusher = await stock.connect();
    const news = await subscribe(pusher, 'news');
    const names = Array.from({ length: 98 }, (_, index) => `other-${index}`);
    await stock.sdk.trigger([...names, 'news', 'news'], 'headline', 1);
    await stock.sdk.trigger('news', 'end', 2);
    await news.next('end');
    expect(news.events.filter((event) => event === 'headline')).toHaveLength(1);
  });

  it('ignores an excluded socket that is not connected', async () => {
    stock = await startStock();
    const news = await subscribe(await stock.connect(), 'news');
    await stock.sdk.trigger('news', 'headline', 'for all', { socket_id: '1.2' });
    expect(await news.next('headline')).toBe('for all');
  });

  it('takes data up to 10240 bytes and refuses more with 413', async () => {
    stock = await startStock();
    const news = await subscribe(await stock.connect(), 'news');
    const largest = 'é'.repeat(5_120);
    await stock.sdk.trigger('news', 'headline', largest);
    expect(await news.next('headline')).toBe(largest);
    expect(await refusalOf(stock.sdk.trigger('news', 'headline', `${largest}x`))).toMatchObject({
      status: 413,
      body: expect.stringContaining('10240'),
    });
  });

  it('is refused with 400 for event names of the protocol', async () => {
    stock = await startStock();
    expect(await refusalOf(stock.sdk.trigger('news', 'pusher:fake', {}))).toMatchObject({ status: 400 });
    expect(await refusalOf(stock.sdk.trigger('news', 'pusher_internal:fake', {}))).toMatchObject({
      status: 400,
    });
  });

  it('keeps the order of requests that follow each other', async () => {
    stock = await startStock();
    const news = await subscribe(await stock.connect(), 'news');
    for (let number = 0; number < 20; number++) await stock.sdk.trigger('news', 'count', { number });
    for (let number = 0; number < 20; number++) expect(await news.next('count')).toEqual({ number });
  });
});

describe('triggerBatch', () => {
  it('is answered with an empty object when no item asks for counts', async () => {
    stock = await startStock();
    const batch = [{ channel: 'news', name: 'headline', data: 1 }];
    expect(await bodyOf(stock.sdk.triggerBatch(batch))).toEqual({});
  });

  it('answers the counts of each item at its place', async () => {
    stock = await startStock({ app: { subscriptionCount: true } });
    await subscribe(await stock.connect('ada'), 'presence-room');
    const body = await bodyOf(
      stock.sdk.triggerBatch([
        { channel: 'news', name: 'headline', data: 1 },
        { channel: 'presence-room', name: 'headline', data: 2, info: 'user_count' },
        { channel: 'news', name: 'headline', data: 3, info: 'subscription_count' },
      ]),
    );
    expect(body).toEqual({ batch: [{}, { user_count: 1 }, { subscription_count: 0 }] });
  });

  it('delivers nothing when one item is wrong', async () => {
    stock = await startStock();
    const news = await subscribe(await stock.connect(), 'news');
    const refusal = await refusalOf(
      stock.sdk.triggerBatch([
        { channel: 'news', name: 'headline', data: 'fine' },
        { channel: 'news', name: 'headline', data: 'x'.repeat(10_241) },
      ]),
    );
    expect(refusal.status).toBe(413);
    await stock.sdk.trigger('news', 'end', {});
    await news.next('end');
    expect(news.events).not.toContain('headline');
  });

  it('is refused with 400 beyond ten items', async () => {
    stock = await startStock();
    const batch = Array.from({ length: 11 }, (_, id) => ({
      channel: 'news',
      name: 'headline',
      data: { id },
    }));
    expect(await refusalOf(stock.sdk.triggerBatch(batch))).toMatchObject({
      status: 400,
      body: expect.stringContaining('Batch too large (11 > 10)'),
    });
  });
});

describe('get channels', () => {
  it('lists the occupied channels, by prefix and with user counts', async () => {
    stock = await startStock();
    const pusher = await stock.connect('ada');
    for (const name of ['news', 'private-news', 'presence-a', 'presence-b']) await subscribe(pusher, name);
    await signIn(pusher);
    const { sdk } = stock;
    expect(await bodyOf(sdk.get({ path: '/channels' }))).toEqual({
      channels: { news: {}, 'private-news': {}, 'presence-a': {}, 'presence-b': {} },
    });
    expect(await bodyOf(sdk.get({ path: '/channels', params: { filter_by_prefix: 'private-' } }))).toEqual({
      channels: { 'private-news': {} },
    });
    const params = { filter_by_prefix: 'presence-', info: 'user_count' };
    expect(await bodyOf(sdk.get({ path: '/channels', params }))).toEqual({
      channels: { 'presence-a': { user_count: 1 }, 'presence-b': { user_count: 1 } },
    });
  });

  it('is empty when nobody is there', async () => {
    stock = await startStock();
    expect(await bodyOf(stock.sdk.get({ path: '/channels' }))).toEqual({ channels: {} });
  });

  it('is refused with 400 for user counts of channels that have none', async () => {
    stock = await startStock();
    const params = { info: 'user_count' };
    expect(await refusalOf(stock.sdk.get({ path: '/channels', params }))).toMatchObject({
      status: 400,
      body: expect.stringContaining('filter_by_prefix'),
    });
  });
});

describe('get one channel', () => {
  it('says whether it is occupied, and counts users and subscriptions', async () => {
    stock = await startStock({ app: { subscriptionCount: true } });
    for (const user of ['ada', 'ada', 'bob']) await subscribe(await stock.connect(user), 'presence-room');
    const params = { info: 'user_count,subscription_count' };
    expect(await bodyOf(stock.sdk.get({ path: '/channels/presence-room', params }))).toEqual({
      occupied: true,
      user_count: 2,
      subscription_count: 3,
    });
    expect(await bodyOf(stock.sdk.get({ path: '/channels/presence-empty' }))).toEqual({ occupied: false });
  });

  it('shows what a cache channel holds', async () => {
    stock = await startStock();
    const request = { path: '/channels/cache-price', params: { info: 'cache' } };
    expect(await bodyOf(stock.sdk.get(request))).toEqual({ occupied: false, cache: null });
    await stock.sdk.trigger('cache-price', 'price', { now: 1 });
    expect(await bodyOf(stock.sdk.get(request))).toEqual({
      occupied: false,
      cache: { data: '{"now":1}', ttl: expect.any(Number) },
    });
  });

  it('is refused with 400 for what the channel does not have', async () => {
    stock = await startStock();
    for (const info of ['user_count', 'subscription_count', 'cache']) {
      const refusal = await refusalOf(stock.sdk.get({ path: '/channels/news', params: { info } }));
      expect(refusal.status).toBe(400);
    }
  });
});

describe('get users', () => {
  it('lists each member of a presence channel once', async () => {
    stock = await startStock();
    for (const user of ['ada', 'ada', 'bob']) await subscribe(await stock.connect(user), 'presence-room');
    expect(await bodyOf(stock.sdk.get({ path: '/channels/presence-room/users' }))).toEqual({
      users: [{ id: 'ada' }, { id: 'bob' }],
    });
    expect(await bodyOf(stock.sdk.get({ path: '/channels/presence-empty/users' }))).toEqual({ users: [] });
  });

  it('is refused with 400 for channels without members', async () => {
    stock = await startStock();
    expect(await refusalOf(stock.sdk.get({ path: '/channels/news/users' }))).toMatchObject({ status: 400 });
  });
});

describe('users', () => {
  it.each(['ada', 'ada@example.com', 'a=1,2;3.4_5-6'])('named %s are sent to and terminated', async (id) => {
    stock = await startStock({ userOf: () => ({ id }) });
    const pusher = await stock.connect('somebody');
    const [user, connection] = [new Heard(pusher.user), new Heard(pusher.connection)];
    await signIn(pusher);
    expect(await bodyOf(stock.sdk.sendToUser(id, 'mail', { subject: 'hello' }))).toEqual({});
    expect(await user.next('mail')).toEqual({ subject: 'hello' });
    expect(await bodyOf(stock.sdk.terminateUserConnections(id))).toEqual({});
    expect(await connection.next('error')).toMatchObject({ data: { code: 4009 } });
  });

  it('who are not connected are terminated without an error', async () => {
    stock = await startStock();
    expect(await bodyOf(stock.sdk.terminateUserConnections('nobody'))).toEqual({});
    expect(await bodyOf(stock.sdk.terminateUserConnections('nöbody & co'))).toEqual({});
  });
});

describe('a request', () => {
  it('is refused with 401 when it is signed with another secret or key', async () => {
    stock = await startStock();
    const forged = createSdk({ ...stock.server, secret: 'not-the-secret' });
    expect(await refusalOf(forged.trigger('news', 'headline', {}))).toMatchObject({
      status: 401,
      body: expect.stringContaining('Invalid signature'),
    });
    const unknown = createSdk({ ...stock.server, key: 'nobody' });
    expect(await refusalOf(unknown.get({ path: '/channels' }))).toMatchObject({
      status: 401,
      body: expect.stringContaining('Unknown auth_key'),
    });
  });

  it('is refused with 404 for an unknown app and for an unknown path', async () => {
    stock = await startStock();
    const elsewhere = createSdk({ ...stock.server, appId: 'nowhere' });
    expect(await refusalOf(elsewhere.get({ path: '/channels' }))).toMatchObject({ status: 404 });
    expect(await refusalOf(stock.sdk.get({ path: '/nothing' }))).toMatchObject({ status: 404 });
  });

  it('is refused with 403 when the app is disabled', async () => {
    stock = await startStock({ app: { enabled: false } });
    expect(await refusalOf(stock.sdk.trigger('news', 'headline', {}))).toMatchObject({ status: 403 });
  });

  it('may be signed with an extra key', async () => {
    const extra = { key: 'rotated-key', secret: 'rotated-secret' };
    stock = await startStock({ app: { extraKeys: [extra] } });
    const rotated = createSdk({ ...stock.server, ...extra });
    expect(await bodyOf(rotated.trigger('news', 'headline', {}))).toEqual({});
  });

  it('may be made by hand from a signed query string', async () => {
    stock = await startStock();
    const path = `/apps/${testApp.id}/channels`;
    const query = stock.sdk.createSignedQueryString({ method: 'GET', path, params: { info: '' } });
    const response = await fetch(`http://127.0.0.1:${stock.port}${path}?${query}`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ channels: {} });
  });

  it('may be a post of its own making', async () => {
    stock = await startStock();
    const news = await subscribe(await stock.connect(), 'news');
    // The types ask for text; what the library sends is the JSON of whatever it is given.
    const body = { name: 'headline', channel: 'news', data: 'by hand' } as unknown as string;
    expect(await bodyOf(stock.sdk.post({ path: '/events', body }))).toEqual({});
    expect(await news.next('headline')).toBe('by hand');
  });
});
