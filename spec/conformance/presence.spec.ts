import { beforeAll, expect, it } from '@jest/globals';
import { connect, type TestClient } from '../support/client.ts';
import { dataOf, eventsOf, overEveryStore, room, type Started, wire } from './each-store.ts';

const succeeded = 'pusher_internal:subscription_succeeded';
const memberAdded = 'pusher_internal:member_added';
const memberRemoved = 'pusher_internal:member_removed';

interface Presence {
  readonly count: number;
  readonly ids: readonly string[];
  readonly hash: Readonly<Record<string, unknown>>;
}

async function joined(client: TestClient, channel: string, channelData?: object | string): Promise<Presence> {
  return ((await client.subscribed(channel, channelData)) as { presence: Presence }).presence;
}

overEveryStore((start) => {
  let server: Started;
  beforeAll(async () => {
    server = await start();
  });

  /** The words a member is refused with. */
  async function refusalOf(channelData: string): Promise<unknown> {
    const client = await connect(server);
    client.subscribe(room('presence-'), channelData);
    const { error } = dataOf(await client.next()) as { error: string };
    expect((await client.next()).data).toEqual({ code: null, message: error });
    expect(await client.drain()).toEqual([]);
    return error;
  }

  it('3.3 a number as user_id becomes a string everywhere', async () => {
    const [one, other] = [await connect(server), await connect(server)];
    const channel = room('presence-');
    await joined(one, channel, { user_id: 'witness' });
    expect(await joined(other, channel, '{"user_id":10,"user_info":{"name":"Mr. Channels"}}')).toEqual({
      count: 2,
      ids: ['witness', '10'],
      hash: { witness: null, '10': { name: 'Mr. Channels' } },
    });
    expect((await one.waitFor(memberAdded)).data).toBe(
      '{"user_id":"10","user_info":{"name":"Mr. Channels"}}',
    );
    expect((await server.api.get(`/channels/${channel}/users`)).json).toEqual({
      users: [{ id: 'witness' }, { id: '10' }],
    });
    other.send({ event: 'client-x', channel, data: '' });
    expect((await one.waitFor('client-x')).user_id).toBe('10');
    await other.close();
    expect((await one.waitFor(memberRemoved)).data).toBe('{"user_id":"10"}');
  });

  it('3.3 the number 10 and the text "10" are one user', async () => {
    const [one, other] = [await connect(server), await connect(server)];
    const channel = room('presence-');
    await joined(one, channel, { user_id: 10 });
    expect((await joined(other, channel, { user_id: '10' })).count).toBe(1);
  });

  it('3.3 the user 0 is a user', async () => {
    const [one, other] = [await connect(server), await connect(server)];
    const channel = room('presence-');
    expect((await joined(one, channel, { user_id: 0 })).ids).toEqual(['0']);
    await joined(other, channel, { user_id: 'a' });
    one.send({ event: 'client-x', channel, data: '' });
    expect((await other.waitFor('client-x')).user_id).toBe('0');
  });

  it.each([
    ['{}', 'user_id must be a string or a finite number'],
    ['{"user_id":null}', 'user_id must be a string or a finite number'],
    ['{"user_id":true}', 'user_id must be a string or a finite number'],
    ['{"user_id":{}}', 'user_id must be a string or a finite number'],
    ['{"user_id":["a"]}', 'user_id must be a string or a finite number'],
    ['{"user_id":1e999}', 'user_id must be a string or a finite number'],
    ['{"user_id":""}', 'user_id must not be empty'],
    [`{"user_id":"${'x'.repeat(129)}"}`, 'user_id is longer than 128 characters'],
    ['[]', 'it must be a JSON object'],
    ['null', 'it must be a JSON object'],
    ['nonsense', 'it must be a JSON object'],
  ])('3.3 no member without a valid user_id: %s', async (channelData, problem) => {
    expect(await refusalOf(channelData)).toMatch(new RegExp(`is invalid: ${problem}$`));
  });

  it('3.3 a user_id has up to 128 characters', async () => {
    const userId = 'é'.repeat(128);
    const { ids } = await joined(await connect(server), room('presence-'), { user_id: userId });
    expect(ids).toEqual([userId]);
  });

  it.each(['"text"', '7', 'true', '[]'])('3.3 user_info is an object or absent, not %s', async (info) => {
    expect(await refusalOf(`{"user_id":"a","user_info":${info}}`)).toBe(
      'user_info supplied to presence subscription is invalid: it must be an object',
    );
  });

  it('3.3 user_info has up to 1024 bytes', async () => {
    const infoOf = (bytes: number): string => `{"n":"${'é'.repeat((bytes - 8) / 2)}"}`;
    expect(Buffer.byteLength(infoOf(1024))).toBe(1024);
    const fits = await joined(
      await connect(server),
      room('presence-'),
      `{"user_id":"a","user_info":${infoOf(1024)}}`,
    );
    expect(fits.count).toBe(1);
    expect(await refusalOf(`{"user_id":"a","user_info":${infoOf(1026)}}`)).toBe(
      'user_info supplied to presence subscription is invalid: it is larger than 1024 bytes',
    );
  });

  it('3.3 user_info that is missing or null is null in the hash and absent in member_added', async () => {
    const [one, other, third] = [await connect(server), await connect(server), await connect(server)];
    const channel = room('presence-');
    expect((await joined(one, channel, { user_id: 'a' })).hash).toEqual({ a: null });
    await joined(other, channel, '{"user_id":"b","user_info":null}');
    await joined(third, channel, '{"user_id":"c","user_info":{}}');
    expect((await one.waitFor(memberAdded)).data).toBe('{"user_id":"b"}');
    expect((await one.waitFor(memberAdded)).data).toBe('{"user_id":"c","user_info":{}}');
  });

  it('3.3 100 members by default, and a second connection of a member even then', async () => {
    const channel = room('presence-');
    const clients = await Promise.all(Array.from({ length: 101 }, () => connect(server)));
    await Promise.all(
      clients.slice(0, 100).map((client, index) => joined(client, channel, { user_id: `u${index}` })),
    );
    const last = clients[100]!;
    last.subscribe(channel, { user_id: 'one too many' });
    expect(dataOf(await last.next())).toEqual({
      type: 'LimitReached',
      error: `Channel ${channel} is full: at most 100 members`,
      status: 403,
    });
    expect((await joined(last, channel, { user_id: 'u7' })).count).toBe(100);
  });

  it('3.3 the cap of members holds when many join at once', async () => {
    const capped = await start({ app: { presence: { maxMembers: 3 } } });
    const channel = room('presence-');
    const clients = await Promise.all(Array.from({ length: 12 }, () => connect(capped)));
    clients.forEach((client, index) => client.subscribe(channel, { user_id: `u${index % 6}` }));
    const answers = await Promise.all(clients.map((client) => client.next()));
    expect(answers.filter(({ event }) => event === succeeded)).toHaveLength(6);
    const { users } = (await capped.api.get(`/channels/${channel}/users`)).json as { users: unknown[] };
    expect(users).toHaveLength(3);
  });

  it('3.3 a place in a full channel that was left is given again', async () => {
    const capped = await start({ app: { presence: { maxMembers: 1 } } });
    const channel = room('presence-');
    const [one, other] = [await connect(capped), await connect(capped)];
    await joined(one, channel, { user_id: 'a' });
    one.unsubscribe(channel);
    await capped.log.waitFor('subscription.closed', ({ socketId }) => socketId === one.socketId);
    expect((await joined(other, channel, { user_id: 'b' })).ids).toEqual(['b']);
  });

  it('3.3 a user of several connections is added once and removed once', async () => {
    const channel = room('presence-');
    const witness = await connect(server);
    await joined(witness, channel, { user_id: 'witness' });
    const tabs = await Promise.all([connect(server), connect(server), connect(server)]);
    for (const tab of tabs) {
      const { count, ids } = await joined(tab, channel, { user_id: 'a' });
      expect([count, ids]).toEqual([2, ['witness', 'a']]);
    }
    tabs[0].terminate();
    tabs[1].unsubscribe(channel);
    await tabs[1].drain();
    await server.log.waitFor('connection.closed', ({ socketId }) => socketId === tabs[0].socketId);
    await server.api.trigger(channel, 'between', '');
    const before = eventsOf(await witness.until('between'));
    expect(before).toEqual([memberAdded, 'between']);
    await tabs[2].close();
    expect(wire(await witness.next())).toEqual({ event: memberRemoved, channel, data: '{"user_id":"a"}' });
    await server.api.trigger(channel, 'last', '');
    expect(eventsOf(await witness.until('last'))).toEqual(['last']);
  });

  it('3.3 tabs of a user that open and close at once leave the right members', async () => {
    const channel = room('presence-');
    const witness = await connect(server);
    await joined(witness, channel, { user_id: 'witness' });
    const tabs = await Promise.all(Array.from({ length: 20 }, () => connect(server)));
    tabs.forEach((tab, index) => tab.subscribe(channel, { user_id: `u${index % 4}` }));
    await Promise.all(tabs.map((tab) => tab.waitFor(succeeded)));
    for (const tab of tabs.slice(1)) tab.terminate();
    const present = new Set<string>();
    const changes: string[] = [];
    while (changes.filter((change) => change.startsWith('-')).length < 3) {
      const frame = await witness.next();
      const { user_id: userId } = dataOf(frame) as { user_id: string };
      changes.push(`${frame.event === memberAdded ? '+' : '-'}${userId}`);
      if (frame.event === memberAdded) present.add(userId);
      else present.delete(userId);
    }
    expect([...present]).toEqual(['u0']);
    expect(changes.sort()).toEqual(['+u0', '+u1', '+u2', '+u3', '-u1', '-u2', '-u3']);
  });

  it('3.3 the first user_info is kept until all connections of the user are gone', async () => {
    const channel = room('presence-');
    const [first, second] = [await connect(server), await connect(server)];
    await joined(first, channel, { user_id: 'a', user_info: { tab: 1 } });
    expect((await joined(second, channel, { user_id: 'a', user_info: { tab: 2 } })).hash).toEqual({
      a: { tab: 1 },
    });
    await first.close();
    await server.log.waitFor('subscription.closed', ({ socketId }) => socketId === first.socketId);
    const third = await connect(server);
    expect((await joined(third, channel, { user_id: 'b' })).hash).toEqual({ a: { tab: 1 }, b: null });
    for (const client of [second, third]) {
      client.unsubscribe(channel);
      await server.log.waitFor('subscription.closed', ({ socketId }) => socketId === client.socketId);
    }
    const fourth = await connect(server);
    expect((await joined(fourth, channel, { user_id: 'a', user_info: { tab: 4 } })).hash).toEqual({
      a: { tab: 4 },
    });
  });

  it('3.3 the snapshot has the joiner, and count, ids and hash agree', async () => {
    const channel = room('presence-');
    const clients = await Promise.all(Array.from({ length: 15 }, () => connect(server)));
    const snapshots = await Promise.all(
      clients.map((client, index) =>
        joined(client, channel, { user_id: `u${index % 10}`, user_info: { index } }),
      ),
    );
    snapshots.forEach(({ count, ids, hash }, index) => {
      expect(ids).toContain(`u${index % 10}`);
      expect(new Set(ids).size).toBe(count);
      expect(Object.keys(hash).sort()).toEqual([...ids].sort());
    });
  });

  it.each([
    '__proto__',
    'constructor',
    'hasOwnProperty',
    'toString',
    '"\\\u0000',
    '☃',
    ' ',
    '0',
    '-1',
    'null',
  ])('3.3 any text is a user: %j', async (userId) => {
    const channel = room('presence-');
    const [one, other] = [await connect(server), await connect(server)];
    await joined(one, channel, { user_id: 'witness' });
    const { count, ids, hash } = await joined(
      other,
      channel,
      `{"user_id":${JSON.stringify(userId)},"user_info":{"a":1}}`,
    );
    expect([count, ids]).toEqual([2, ['witness', userId]]);
    expect(Object.hasOwn(hash, userId)).toBe(true);
    expect(Object.entries(hash)).toContainEqual([userId, { a: 1 }]);
    expect(dataOf(await one.waitFor(memberAdded))).toEqual({ user_id: userId, user_info: { a: 1 } });
    expect((await server.api.get(`/channels/${channel}/users`)).json).toEqual({
      users: [{ id: 'witness' }, { id: userId }],
    });
    await other.close();
    expect(dataOf(await one.waitFor(memberRemoved))).toEqual({ user_id: userId });
  });

  it('3.3 hostile keys in user_info are passed on', async () => {
    const info = '{"__proto__":{"isAdmin":true},"constructor":1}';
    const client = await connect(server);
    const channel = room('presence-');
    client.subscribe(channel, `{"user_id":"a","user_info":${info}}`);
    const { data } = await client.next();
    expect(data).toBe(`{"presence":{"count":1,"ids":["a"],"hash":{"a":${info}}}}`);
  });

  it('3.3 the same socket twice is no second member', async () => {
    const client = await connect(server);
    const channel = room('presence-');
    await joined(client, channel, { user_id: 'a' });
    client.subscribe(channel, { user_id: 'b' });
    expect((await client.next()).event).toBe('pusher:error');
    expect((await server.api.get(`/channels/${channel}/users`)).json).toEqual({ users: [{ id: 'a' }] });
  });

  it('3.3 a signed-in user joins without channel_data', async () => {
    const client = await connect(server);
    const channel = room('presence-');
    client.signin({ id: 'ann', user_info: { name: 'Ann' } });
    expect(await joined(client, channel)).toEqual({ count: 1, ids: ['ann'], hash: { ann: { name: 'Ann' } } });
  });

  it('3.3 channel_data overrides the signed-in user', async () => {
    const client = await connect(server);
    const channel = room('presence-');
    client.signin({ id: 'ann', user_info: { name: 'Ann' } });
    expect(await joined(client, channel, { user_id: 'guest' })).toEqual({
      count: 1,
      ids: ['guest'],
      hash: { guest: null },
    });
  });

  it('3.3 user_info of a signed-in user has the same limit', async () => {
    const client = await connect(server);
    const channel = room('presence-');
    client.signin({ id: 'ann', user_info: { name: 'x'.repeat(1100) } });
    await client.waitFor('pusher:signin_success');
    client.subscribe(channel);
    expect(dataOf(await client.next())).toMatchObject({
      error: 'user_info supplied to presence subscription is invalid: it is larger than 1024 bytes',
    });
  });

  it('3.3 a dropped connection is told to the others', async () => {
    const channel = room('presence-');
    const [one, other] = [await connect(server), await connect(server)];
    await joined(one, channel, { user_id: 'a' });
    await joined(other, channel, { user_id: 'b' });
    other.terminate();
    expect((await one.waitFor(memberRemoved)).data).toBe('{"user_id":"b"}');
  });

  it('3.3 whoever joins again after leaving is added again', async () => {
    const channel = room('presence-');
    const [one, other] = [await connect(server), await connect(server)];
    await joined(one, channel, { user_id: 'a' });
    for (let round = 0; round < 5; round++) {
      await joined(other, channel, { user_id: 'b' });
      other.unsubscribe(channel);
    }
    await joined(other, channel, { user_id: 'b' });
    await server.api.trigger(channel, 'last', '');
    const frames = await one.until('last');
    const rest = frames.at(-1)?.event === 'last' ? frames.slice(0, -1) : frames;
    rest.forEach(({ event }, index) => expect(event).toBe(index % 2 === 0 ? memberAdded : memberRemoved));
  });
});
