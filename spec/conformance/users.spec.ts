import { beforeAll, describe, expect, it } from '@jest/globals';
import { connect, type TestClient } from '../support/client.ts';
import { testApp } from '../support/server.ts';
import { dataOf, eventsOf, overEveryStore, room, type Start, type Started, wire } from './each-store.ts';

const signinSuccess = 'pusher:signin_success';
const watchlistEvents = 'pusher_internal:watchlist_events';

interface WatchlistEvent {
  readonly name: 'online' | 'offline';
  readonly user_ids: readonly string[];
}

async function signedIn(server: Started, userData: object): Promise<TestClient> {
  const client = await connect(server);
  client.signin(userData);
  await client.waitFor(signinSuccess);
  return client;
}

overEveryStore((start) => {
  describe('sign-in', () => signIn(start));
  describe('authorised connections', () => authorised(start));
  describe('watchlists', () => watchlists(start));
});

function signIn(start: Start): void {
  let server: Started;
  beforeAll(async () => {
    server = await start();
  });

  /** The error frame that answers this sign-in; the connection stays open. */
  async function refusalOf(client: TestClient, data: object): Promise<unknown> {
    client.send({ event: 'pusher:signin', data });
    const frame = await client.next();
    expect(await client.drain()).toEqual([]);
    return wire(frame);
  }

  it('5 signin_success returns user_data unchanged, and no auth', async () => {
    const client = await connect(server);
    const userData = '{ "id" : "1", "user_info":{"name":"\\u00e9 \\/ ☃"}, "extra": [1.0] }';
    client.signin(userData);
    expect(dataOf(await client.next())).toEqual({ user_data: userData });
  });

  it.each([
    ['{}', 'id must be a non-empty string'],
    ['{"id":""}', 'id must be a non-empty string'],
    ['{"id":null}', 'id must be a non-empty string'],
    ['{"id":{}}', 'id must be a non-empty string'],
    ['{"id":7}', 'id must be a string, not a number: write it in quotes'],
    ['{"id":"a b"}', 'id must be at most 200 characters of A-Z a-z 0-9 _ - = @ , . ;'],
    ['{"id":"a#"}', 'id must be at most 200 characters of A-Z a-z 0-9 _ - = @ , . ;'],
    [`{"id":"${'x'.repeat(201)}"}`, 'id must be at most 200 characters of A-Z a-z 0-9 _ - = @ , . ;'],
    ['{"id":"a","user_info":"text"}', 'user_info is refused: it must be an object'],
    ['{"id":"a","watchlist":"b"}', 'watchlist must be an array of strings'],
    ['{"id":"a","watchlist":[7]}', 'watchlist must be an array of strings'],
    ['[]', 'it must be a JSON object'],
    ['nonsense', 'it must be a JSON object'],
  ])('5 user_data that is not valid is refused: %s', async (userData, problem) => {
    const client = await connect(server);
    const auth = `${testApp.key}:${client.hmac(`${client.socketId}::user::${userData}`)}`;
    expect(await refusalOf(client, { auth, user_data: userData })).toEqual({
      event: 'pusher:error',
      data: { code: 4009, message: `user_data supplied to sign-in is invalid: ${problem}` },
    });
  });

  it.each([
    {},
    { auth: 'a:b' },
    { user_data: '{"id":"a"}' },
    { auth: 7, user_data: '' },
    { auth: 'a:b', user_data: {} },
  ])('5 a sign-in lacks fields: %j', async (data) => {
    expect(await refusalOf(await connect(server), data)).toMatchObject({
      data: { code: null, message: expect.stringMatching(/^Invalid pusher:signin: /) },
    });
  });

  it('5 a bad signature is an error with code 4009 and does not close', async () => {
    const client = await connect(server);
    const userData = '{"id":"a"}';
    const signed = `${client.socketId}::user::${userData}`;
    expect(
      await refusalOf(client, { auth: `${testApp.key}:${'0'.repeat(64)}`, user_data: userData }),
    ).toEqual({
      event: 'pusher:error',
      data: { code: 4009, message: `Invalid signature: expected HMAC SHA256 hex digest of ${signed}` },
    });
    expect(await refusalOf(client, { auth: 'other:00', user_data: userData })).toEqual({
      event: 'pusher:error',
      data: { code: 4009, message: "Invalid key in sign-in auth data: 'other'" },
    });
  });

  it('5 a connection stays the user it signed in as', async () => {
    const client = await signedIn(server, { id: 'ann' });
    client.signin({ id: 'ben' });
    expect(wire(await client.next())).toEqual({
      event: 'pusher:error',
      data: { code: null, message: 'This connection is already signed in as another user' },
    });
    await client.subscribed('#server-to-user-ann');
  });

  it('5 signing in again as the same user succeeds again', async () => {
    const client = await signedIn(server, { id: 'ann' });
    client.signin({ id: 'ann', user_info: { name: 'Ann' } });
    expect((await client.next()).event).toBe(signinSuccess);
    const channel = room('presence-');
    expect(await client.subscribed(channel)).toMatchObject({ presence: { hash: { ann: { name: 'Ann' } } } });
  });

  it('5 a new connection signs in anew', async () => {
    const client = await signedIn(server, { id: 'ann' });
    client.terminate();
    await signedIn(server, { id: 'ann' });
  });
}

function authorised(start: Start): void {
  let server: Started;
  beforeAll(async () => {
    server = await start({
      app: { requireAuthWithinSeconds: 1 },
      config: { server: { pongTimeoutSeconds: 1 } },
    });
  });

  it('5 a connection that does not authorise in time is closed with 4009', async () => {
    const client = await connect(server);
    expect(wire(await client.next())).toEqual({
      event: 'pusher:error',
      data: { code: 4009, message: 'Connection not authorized within timeout' },
    });
    expect(await client.closed).toEqual({ code: 4009, reason: 'Connection not authorized within timeout' });
  });

  it('5 sign-in, private and presence channels authorise; public ones and failures do not', async () => {
    const [user, holder, member] = [await connect(server), await connect(server), await connect(server)];
    user.signin({ id: 'ann' });
    holder.subscribe(room('private-'));
    member.subscribe(room('presence-'), { user_id: 'a' });
    const [reader, failing] = [await connect(server), await connect(server)];
    reader.subscribe(room());
    reader.subscribe(room('cache-'));
    failing.signin('{}');
    failing.send({ event: 'pusher:subscribe', data: { channel: room('private-'), auth: '' } });
    expect((await reader.closed).code).toBe(4009);
    expect((await failing.closed).code).toBe(4009);
    for (const client of [user, holder, member]) await client.drain();
  });

  it('5 off by default: a connection that reads public channels stays', async () => {
    const lax = await start();
    const client = await connect(lax);
    await client.subscribed(room());
    const strict = await connect(server);
    await strict.closed;
    expect(await client.drain()).toEqual([]);
  });
}

function watchlists(start: Start): void {
  let server: Started;
  beforeAll(async () => {
    server = await start({ app: { watchlist: true } });
  });

  let users = 0;
  const someone = (): string => `user-${++users}`;

  async function nextNews(client: TestClient): Promise<readonly WatchlistEvent[]> {
    const frame = await client.waitFor(watchlistEvents);
    return (dataOf(frame) as { events: readonly WatchlistEvent[] }).events;
  }

  it('5 off by default', async () => {
    const plain = await start();
    const client = await connect(plain);
    client.signin({ id: 'a', watchlist: ['b'] });
    expect(eventsOf(await client.drain())).toEqual([signinSuccess]);
  });

  it('5 after the sign-in the state of every watched user comes, in one frame', async () => {
    const [here, away] = [someone(), someone()];
    await signedIn(server, { id: here });
    const watcher = await connect(server);
    watcher.signin({ id: someone(), watchlist: [here, away] });
    expect((await watcher.next()).event).toBe(signinSuccess);
    const frame = await watcher.next();
    expect(wire(frame)).toEqual({ event: watchlistEvents, data: expect.any(String) });
    expect(dataOf(frame)).toEqual({
      events: [
        { name: 'online', user_ids: [here] },
        { name: 'offline', user_ids: [away] },
      ],
    });
    expect(await watcher.drain()).toEqual([]);
  });

  it('5 an empty watchlist is told nothing', async () => {
    const watcher = await connect(server);
    watcher.signin({ id: someone(), watchlist: [] });
    expect(eventsOf(await watcher.drain())).toEqual([signinSuccess]);
  });

  it('5 online comes with the first connection and offline with the last, each once', async () => {
    const watched = someone();
    const watcher = await signedIn(server, { id: someone(), watchlist: [watched] });
    expect(await nextNews(watcher)).toEqual([{ name: 'offline', user_ids: [watched] }]);
    const tabs = await Promise.all([1, 2, 3].map(() => signedIn(server, { id: watched })));
    expect(await nextNews(watcher)).toEqual([{ name: 'online', user_ids: [watched] }]);
    for (const tab of tabs) await tab.close();
    expect(await nextNews(watcher)).toEqual([{ name: 'offline', user_ids: [watched] }]);
    await signedIn(server, { id: watched });
    expect(await nextNews(watcher)).toEqual([{ name: 'online', user_ids: [watched] }]);
  });

  it('5 news is right whatever comes and goes while a watcher signs in', async () => {
    const watched = Array.from({ length: 12 }, someone);
    const comers = await Promise.all(watched.map(() => connect(server)));
    const watcher = await connect(server);
    watcher.signin({ id: someone(), watchlist: watched });
    comers.forEach((comer, index) => comer.signin({ id: watched[index] }));
    const state = new Map<string, string>();
    while (state.size < 12 || [...state.values()].includes('offline')) {
      for (const { name, user_ids: ids } of await nextNews(watcher)) {
        for (const id of ids) {
          expect([id, name, state.get(id)]).not.toEqual([id, name, name]);
          state.set(id, name);
        }
      }
    }
  });

  it('5 online means signed in, channels do not matter', async () => {
    const watched = someone();
    const watcher = await signedIn(server, { id: someone(), watchlist: [watched] });
    await nextNews(watcher);
    const client = await connect(server);
    await client.subscribed(room('presence-'), { user_id: watched });
    const signal = someone();
    const second = await signedIn(server, { id: someone(), watchlist: [signal] });
    await nextNews(second);
    await signedIn(server, { id: signal });
    await nextNews(second);
    expect(await watcher.drain()).toEqual([]);
    client.signin({ id: watched });
    expect(await nextNews(watcher)).toEqual([{ name: 'online', user_ids: [watched] }]);
  });

  it('5 every connection of the watcher is told what its own list asks for', async () => {
    const [watched, other, id] = [someone(), someone(), someone()];
    const one = await signedIn(server, { id, watchlist: [watched] });
    const two = await signedIn(server, { id, watchlist: [watched] });
    const three = await signedIn(server, { id, watchlist: [other] });
    for (const watcher of [one, two, three]) await nextNews(watcher);
    await signedIn(server, { id: watched });
    for (const watcher of [one, two]) {
      expect(await nextNews(watcher)).toEqual([{ name: 'online', user_ids: [watched] }]);
    }
    expect(await three.drain()).toEqual([]);
  });

  it('5 watching needs no consent', async () => {
    const [watched, watcher] = [someone(), someone()];
    const one = await signedIn(server, { id: watched });
    const other = await signedIn(server, { id: watcher, watchlist: [watched] });
    expect(await nextNews(other)).toEqual([{ name: 'online', user_ids: [watched] }]);
    expect(await one.drain()).toEqual([]);
  });

  it('5 whoever watches itself sees itself online', async () => {
    const id = someone();
    const client = await signedIn(server, { id, watchlist: [id] });
    expect(await nextNews(client)).toEqual([{ name: 'online', user_ids: [id] }]);
    const tab = await signedIn(server, { id });
    await tab.close();
    await server.log.waitFor('connection.closed', ({ socketId }) => socketId === tab.socketId);
    expect(await client.drain()).toEqual([]);
  });

  it('5 100 ids are kept, more are 4302 after signin_success', async () => {
    const list = Array.from({ length: 101 }, someone);
    const full = await connect(server);
    full.signin({ id: someone(), watchlist: list.slice(0, 100) });
    expect(eventsOf(await full.drain())).toEqual([signinSuccess, watchlistEvents]);
    const watcher = await connect(server);
    watcher.signin({ id: someone(), watchlist: list });
    expect((await watcher.next()).event).toBe(signinSuccess);
    expect(wire(await watcher.next())).toEqual({
      event: 'pusher:error',
      data: { code: 4302, message: 'Watchlist is limited to 100 users: the first 100 were kept' },
    });
    expect(await nextNews(watcher)).toEqual([{ name: 'offline', user_ids: list.slice(0, 100) }]);
  });

  it('5 duplicates on a watchlist count once', async () => {
    const watched = someone();
    const watcher = await connect(server);
    watcher.signin({ id: someone(), watchlist: Array.from({ length: 150 }, () => watched) });
    const frames = await watcher.drain();
    expect(eventsOf(frames)).toEqual([signinSuccess, watchlistEvents]);
    expect(dataOf(frames[1]!)).toEqual({ events: [{ name: 'offline', user_ids: [watched] }] });
  });

  it('5 a sign-in with another list replaces the list', async () => {
    const [before, after, id] = [someone(), someone(), someone()];
    const watcher = await signedIn(server, { id, watchlist: [before] });
    await nextNews(watcher);
    watcher.signin({ id, watchlist: [after] });
    expect(await nextNews(watcher)).toEqual([{ name: 'offline', user_ids: [after] }]);
    await signedIn(server, { id: before });
    await signedIn(server, { id: after });
    expect(await nextNews(watcher)).toEqual([{ name: 'online', user_ids: [after] }]);
  });

  it('5 users of two apps with the same id are two users', async () => {
    const two = await start({
      config: {
        apps: [
          { ...testApp, watchlist: true },
          { id: 'b', key: 'b-key', secret: 'b-secret', watchlist: true },
        ],
      },
    });
    const watcher = await signedIn(two, { id: 'a', watchlist: ['x'] });
    await nextNews(watcher);
    const foreign = await connect(two, { key: 'b-key', secret: 'b-secret' });
    foreign.signin({ id: 'x', watchlist: ['a'] });
    expect(await nextNews(foreign)).toEqual([{ name: 'offline', user_ids: ['a'] }]);
    await signedIn(two, { id: 'x' });
    expect(await nextNews(watcher)).toEqual([{ name: 'online', user_ids: ['x'] }]);
  });
}
