import { createHash, createHmac } from 'node:crypto';
import { beforeAll, expect, it } from '@jest/globals';
import { sign, toSigningKey } from '../../lib/protocol/signatures.ts';
import { connect, type TestClient } from '../support/client.ts';
import { otherApp, testApp } from '../support/server.ts';
import { dataOf, eventsOf, overEveryStore, room, type Started } from './each-store.ts';

const succeeded = 'pusher_internal:subscription_succeeded';

function hmacOf(secret: string, text: string): string {
  return createHmac('sha256', secret).update(text).digest('hex');
}

it.each([
  ['1234.1234:private-foobar', '58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4'],
  ['1234.1234:private-encrypted-foobar', 'e6a18892d037c5d5e76a2265df4f086ffc38631605530dfd214aa5bff495f533'],
  ['1234.1234:private-cache-foobar', '395f4a03f06e17b74af8d9c58386cf386e70176f58452420f042b6e1bddefa43'],
  [
    '1234.1234:private-encrypted-cache-foobar',
    'b9b56ee68b2117189dbac324760a1f9958070108e3ef45232e5dcbba37dbb831',
  ],
  [
    '1234.1234:presence-foobar:{"user_id":10,"user_info":{"name":"Mr. Channels"}}',
    '31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80',
  ],
  [
    '1234.1234:presence-foobar:{"user_id": "10", "user_info": {"name": "Zoë ☃"}}',
    '578bcffdd1e56254baa34ab828c3c8172f36433195e640fdb51d1f9d3cc4dde7',
  ],
  ['1234.1234::user::{"id":"12345"}', '4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba'],
  [
    '1234.1234::user::{"id":"12345","user_info":{"name":"Ada"},"watchlist":["a","b"]}',
    '23a78594fb6aee8395d5a9946e5c9d8efdbf47da337c7425b4b996e5899e1653',
  ],
])('4 worked example: %s', (text, hex) => {
  expect(sign(toSigningKey('7ad3773142a6692b25b8'), text)).toBe(hex);
});

overEveryStore((start) => {
  let server: Started;
  beforeAll(async () => {
    server = await start({ app: { extraKeys: [{ key: 'second-key', secret: 'sécret ☃' }] } });
  });

  /** The first event that answers this subscribe. */
  async function answerTo(client: TestClient, data: Readonly<Record<string, string>>): Promise<string> {
    client.send({ event: 'pusher:subscribe', data });
    const { event } = await client.next();
    await client.drain();
    return event;
  }

  it.each(['private-', 'private-encrypted-', 'private-cache-', 'private-encrypted-cache-'])(
    '4 SOCKET:CHANNEL opens %s',
    async (prefix) => {
      const client = await connect(server);
      const channel = room(prefix);
      const auth = `${testApp.key}:${hmacOf(testApp.secret, `${client.socketId}:${channel}`)}`;
      expect(await answerTo(client, { channel, auth })).toBe(succeeded);
    },
  );

  it.each([
    '{"user_id":10,"user_info":{"name":"Mr. Channels"}}',
    '{"user_id": "10", "user_info": {"name": "Zoë ☃"}}',
    '{"user_id":"\\u0031","user_info":{"url":"http:\\/\\/x"}}',
  ])(
    '4 SOCKET:CHANNEL:CHANNEL_DATA opens a presence channel, signed as received: %s',
    async (channelData) => {
      const client = await connect(server);
      const channel = room('presence-');
      const auth = `${testApp.key}:${hmacOf(testApp.secret, `${client.socketId}:${channel}:${channelData}`)}`;
      expect(await answerTo(client, { channel, auth, channel_data: channelData })).toBe(succeeded);
    },
  );

  it('4 channel_data that was changed after signing is refused, were it only a space', async () => {
    const client = await connect(server);
    const channel = room('presence-');
    const auth = client.signChannel(channel, '{"user_id":"a"}');
    const answer = await answerTo(client, { channel, auth, channel_data: '{"user_id": "a"}' });
    expect(answer).toBe('pusher:subscription_error');
  });

  it('4 a signature without channel_data does not cover channel_data', async () => {
    const client = await connect(server);
    const channel = room('presence-');
    const auth = client.signChannel(channel);
    const answer = await answerTo(client, { channel, auth, channel_data: '{"user_id":"admin"}' });
    expect(answer).toBe('pusher:subscription_error');
  });

  it('4 SOCKET::user::USER_DATA signs in', async () => {
    const client = await connect(server);
    const userData = '{ "id":"ann" }';
    const auth = `${testApp.key}:${hmacOf(testApp.secret, `${client.socketId}::user::${userData}`)}`;
    client.send({ event: 'pusher:signin', data: { auth, user_data: userData } });
    expect((await client.next()).event).toBe('pusher:signin_success');
  });

  it('4 a second key pair signs with its own secret', async () => {
    const client = await connect(server, { key: 'second-key', secret: 'sécret ☃' });
    await client.subscribed(room('private-'));
    client.signin({ id: 'ann' });
    await client.waitFor('pusher:signin_success');
    const channel = room('private-');
    const crossed = `second-key:${hmacOf(testApp.secret, `${client.socketId}:${channel}`)}`;
    expect(await answerTo(client, { channel, auth: crossed })).toBe('pusher:subscription_error');
    const other = `${testApp.key}:${hmacOf(testApp.secret, `${client.socketId}:${channel}`)}`;
    expect(await answerTo(client, { channel, auth: other })).toBe(succeeded);
  });

  it('4 the key must be one of this app', async () => {
    const client = await connect(server);
    const channel = room('private-');
    const signature = hmacOf(otherApp.secret, `${client.socketId}:${channel}`);
    expect(await answerTo(client, { channel, auth: `${otherApp.key}:${signature}` })).toBe(
      'pusher:subscription_error',
    );
    const borrowed = hmacOf(testApp.secret, `${client.socketId}:${channel}`);
    expect(await answerTo(client, { channel, auth: `${otherApp.key}:${borrowed}` })).toBe(
      'pusher:subscription_error',
    );
  });

  it('4 auth is split at its first colon', async () => {
    const client = await connect(server);
    const channel = room('private-');
    const auth = `${client.signChannel(channel)}:more`;
    expect(await answerTo(client, { channel, auth })).toBe('pusher:subscription_error');
  });

  it('4 upper-case hex is the same digest', async () => {
    const client = await connect(server);
    const channel = room('private-');
    const signature = hmacOf(testApp.secret, `${client.socketId}:${channel}`).toUpperCase();
    expect(await answerTo(client, { channel, auth: `${testApp.key}:${signature}` })).toBe(succeeded);
  });

  it('4 anything but the 64 right hex digits is refused', async () => {
    const client = await connect(server);
    const channel = room('private-');
    const right = hmacOf(testApp.secret, `${client.socketId}:${channel}`);
    const wrong = [
      '',
      right.slice(1),
      `${right}0`,
      `${right} `,
      'g'.repeat(64),
      '☃'.repeat(64),
      `0${right.slice(1)}0`,
    ];
    for (const signature of wrong) {
      const answer = await answerTo(client, { channel, auth: `${testApp.key}:${signature}` });
      expect([signature, answer]).toEqual([signature, 'pusher:subscription_error']);
    }
  });

  it('4 a signature is bound to its socket', async () => {
    const [one, other] = [await connect(server), await connect(server)];
    const channel = room('private-');
    const auth = one.signChannel(channel);
    expect(await answerTo(other, { channel, auth })).toBe('pusher:subscription_error');
    expect(await answerTo(other, { channel, auth, socket_id: one.socketId })).toBe(
      'pusher:subscription_error',
    );
    expect(await answerTo(one, { channel, auth })).toBe(succeeded);
  });

  it('4 a signature is bound to its channel', async () => {
    const client = await connect(server);
    const auth = client.signChannel(room('private-'));
    expect(await answerTo(client, { channel: room('private-'), auth })).toBe('pusher:subscription_error');
  });

  it('4 a signature is valid again after an unsubscribe', async () => {
    const client = await connect(server);
    const channel = room('private-');
    const auth = client.signChannel(channel);
    expect(await answerTo(client, { channel, auth })).toBe(succeeded);
    client.unsubscribe(channel);
    expect(await answerTo(client, { channel, auth })).toBe(succeeded);
  });

  it('4 a sign-in signature opens no channel, a channel signature signs nobody in', async () => {
    const client = await connect(server);
    const userData = '{"id":"ann"}';
    const asUser = `${testApp.key}:${client.hmac(`${client.socketId}::user::${userData}`)}`;
    expect(await answerTo(client, { channel: ':user::{"id":"ann"}', auth: asUser })).toBe(
      'pusher:subscription_error',
    );
    const asChannel = client.signChannel(room('private-'));
    client.send({ event: 'pusher:signin', data: { auth: asChannel, user_data: userData } });
    expect((await client.next()).event).toBe('pusher:error');
  });

  it('4 data is parsed only after its signature held', async () => {
    const client = await connect(server);
    const channel = room('presence-');
    const auth = `${testApp.key}:${'0'.repeat(64)}`;
    client.send({ event: 'pusher:subscribe', data: { channel, auth, channel_data: 'nonsense' } });
    const { error } = dataOf(await client.next()) as { error: string };
    expect(error).toMatch(/^Invalid signature/);
    await client.next();
    client.send({ event: 'pusher:signin', data: { auth, user_data: 'nonsense' } });
    expect((await client.next()).data).toMatchObject({
      message: expect.stringMatching(/^Invalid signature/),
    });
  });

  it('4 a signature of another app of this server opens nothing here', async () => {
    const client = await connect(server, { key: otherApp.key, secret: otherApp.secret });
    const channel = room('private-');
    await client.subscribed(channel);
    const witness = await connect(server);
    await witness.subscribed(channel);
    await server.api.trigger(channel, 'here', '');
    await witness.waitFor('here');
    expect(eventsOf(await client.drain())).toEqual([]);
  });

  it('4 the shared secret of an encrypted channel is derived without the server', () => {
    const masterKey = Buffer.from('01234567890123456789012345678901');
    const shared = createHash('sha256').update('private-encrypted-foobar').update(masterKey).digest('base64');
    expect(shared).toBe('Uedy6frF2/3cz/oMziDQ0pGdahMvE50/N0xZ8eKYEIg=');
  });
});
