import { createHash, createHmac } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { parseQuery, verifyHttpSignature } from '../../lib/protocol/http-signature.ts';
import { toSigningKey } from '../../lib/protocol/signatures.ts';
import { type ApiAnswer, TestApi } from '../support/api.ts';
import { connect, type TestClient } from '../support/client.ts';
import { otherApp, testApp } from '../support/server.ts';
import { eventsOf, overEveryStore, room, type Start, type Started, wire } from './each-store.ts';

const emptyMd5 = 'd41d8cd98f00b204e9800998ecf8427e';

overEveryStore((start) => {
  describe('endpoints', () => endpoints(start));
  describe('signing', () => signing(start));
  describe('status and body', () => statusAndBody(start));
  describe('publishing', () => publishing(start));
  describe('terminate_connections', () => terminating(start));
  describe('two apps', () => isolation(start));
});

function endpoints(start: Start): void {
  let server: Started;
  beforeAll(async () => {
    server = await start({ app: { subscriptionCount: true } });
  });

  it('7.1 POST /events answers {} and delivers', async () => {
    const client = await connect(server);
    const channel = room();
    await client.subscribed(channel);
    const answer = await server.api.post('/events', { name: 'said', data: 'hi', channels: [channel] });
    expect([answer.status, answer.text]).toEqual([200, '{}']);
    expect(wire(await client.waitFor('said'))).toEqual({ event: 'said', channel, data: 'hi' });
  });

  it('7.1 POST /events takes one channel too', async () => {
    const client = await connect(server);
    const channel = room();
    await client.subscribed(channel);
    expect((await server.api.post('/events', { name: 'said', data: 'hi', channel })).text).toBe('{}');
    await client.waitFor('said');
  });

  it('7.1 POST /events with info answers the channels by the names that were given', async () => {
    const [one, other] = [await connect(server), await connect(server)];
    const [presence, open, empty] = [room('presence-'), room(), room()];
    await one.subscribed(presence, { user_id: 'a' });
    await other.subscribed(presence, { user_id: 'a' });
    await one.subscribed(open);
    const answer = await server.api.trigger([presence, open, empty, '__proto__'], 'x', '', {
      info: 'user_count,subscription_count',
    });
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual(
      JSON.parse(
        `{"channels":{"${presence}":{"user_count":1,"subscription_count":2},"${open}":{"subscription_count":1},` +
          `"${empty}":{"subscription_count":0},"__proto__":{"subscription_count":0}}}`,
      ),
    );
  });

  it('7.1 POST /batch_events answers {} and delivers', async () => {
    const client = await connect(server);
    const [first, second] = [room(), room()];
    await client.subscribed(first);
    await client.subscribed(second);
    await client.drain();
    const batch = [
      { channel: first, name: 'one', data: '1' },
      { channel: second, name: 'two', data: '2' },
      { channel: first, name: 'three', data: '3', socket_id: client.socketId },
    ];
    expect((await server.api.post('/batch_events', { batch })).text).toBe('{}');
    await server.api.trigger([first, second], 'last', '');
    const events = (await untilTwice(client, 'last')).filter((event) => !event.startsWith('pusher'));
    expect([...events].sort()).toEqual(['last', 'last', 'one', 'two']);
  });

  it('7.1 POST /batch_events with info answers an array, item by item', async () => {
    const client = await connect(server);
    const [presence, open] = [room('presence-'), room()];
    await client.subscribed(presence, { user_id: 'a' });
    await client.subscribed(open);
    const item = (channel: string, info?: string): object => ({ channel, name: 'x', data: '', info });
    const batch = [
      item(open),
      item(presence, 'user_count'),
      item(open, 'user_count'),
      item(open, 'subscription_count'),
      item(presence),
    ];
    expect((await server.api.post('/batch_events', { batch })).json).toEqual({
      batch: [{}, { user_count: 1 }, {}, { subscription_count: 1 }, {}],
    });
  });

  it('7.1 an empty batch is a batch', async () => {
    expect((await server.api.post('/batch_events', { batch: [] })).text).toBe('{}');
  });

  it('7.1 GET /channels lists the occupied channels', async () => {
    const fresh = await start();
    expect((await fresh.api.get('/channels')).text).toBe('{"channels":{}}');
    const client = await connect(fresh);
    const members = room('presence-');
    await client.subscribed('open');
    await client.subscribed(members, { user_id: 'a' });
    await client.subscribed('left');
    client.unsubscribe('left');
    await fresh.log.waitFor('channel.vacated', ({ channel }) => channel === 'left');
    expect((await fresh.api.get('/channels')).json).toEqual({ channels: { open: {}, [members]: {} } });
    expect(
      (await fresh.api.get('/channels', { filter_by_prefix: 'presence-', info: 'user_count' })).json,
    ).toEqual({ channels: { [members]: { user_count: 1 } } });
  });

  it('7.1 GET /channels/:name tells whether it is occupied, never 404', async () => {
    const client = await connect(server);
    const channel = room('presence-');
    expect(await server.api.get(`/channels/${channel}`)).toMatchObject({
      status: 200,
      text: '{"occupied":false}',
    });
    await client.subscribed(channel, { user_id: 'a' });
    expect(
      (await server.api.get(`/channels/${channel}`, { info: 'user_count,subscription_count' })).json,
    ).toEqual({
      occupied: true,
      user_count: 1,
      subscription_count: 1,
    });
  });

  it('7.1 GET /channels/:name/users lists each member once', async () => {
    const channel = room('presence-');
    const users = async (): Promise<unknown> => (await server.api.get(`/channels/${channel}/users`)).json;
    expect(await users()).toEqual({ users: [] });
    const tabs = [await connect(server), await connect(server), await connect(server)];
    for (const [index, tab] of tabs.entries())
      await tab.subscribed(channel, { user_id: index === 2 ? 'b' : 'a' });
    expect(await users()).toEqual({ users: [{ id: 'a' }, { id: 'b' }] });
  });

  it('7.1 terminate_connections answers {}', async () => {
    for (const body of [{}, undefined]) {
      const answer = await server.api.post('/users/nobody/terminate_connections', body);
      expect([answer.status, answer.text]).toEqual([200, '{}']);
    }
  });

  it('7.1 every 200 is a JSON object of content type application/json', async () => {
    const channel = room('presence-');
    const answers = [
      await server.api.trigger(channel, 'x', ''),
      await server.api.post('/batch_events', { batch: [] }),
      await server.api.get('/channels'),
      await server.api.get(`/channels/${channel}`),
      await server.api.get(`/channels/${channel}/users`),
      await server.api.post('/users/a/terminate_connections', {}),
    ];
    for (const { status, headers, json } of answers) {
      expect([status, headers['content-type']]).toEqual([200, 'application/json']);
      expect(json).toEqual(expect.objectContaining({}));
      expect(Array.isArray(json)).toBe(false);
    }
  });

  it('7.1 connections are kept alive', async () => {
    const wanted = new Set<unknown>();
    for (let sent = 0; sent < 5; sent++) {
      const { headers } = await server.api.trigger(room(), 'x', '');
      wanted.add(headers['connection']);
    }
    expect([...wanted]).toEqual(['keep-alive']);
  });

  it.each([
    '/channels/x/events',
    '/channels/x/stats',
    '/nothing',
    '/events/',
    '/channels/',
    '/users/a/b/terminate_connections',
    '',
  ])('7.1 what is not offered is 404: %s', async (path) => {
    expect((await server.api.post(path, {})).status).toBe(404);
    expect((await server.api.get(path)).status).toBe(404);
  });

  it('7.1 the wrong method is 405', async () => {
    expect((await server.api.get('/events')).status).toBe(405);
    expect((await server.api.get('/batch_events')).status).toBe(405);
    expect((await server.api.post('/channels', {})).status).toBe(405);
    expect((await server.api.post('/channels/x', {})).status).toBe(405);
    expect((await server.api.get('/users/a/terminate_connections')).status).toBe(405);
    expect((await server.api.call('DELETE', `/apps/${testApp.id}/channels/x`)).status).toBe(405);
  });
}

function signing(start: Start): void {
  let server: Started;
  beforeAll(async () => {
    server = await start({ app: { extraKeys: [{ key: 'second-key', secret: 'second-secret' }] } });
  });

  const nowSeconds = (): number => Math.floor(Date.now() / 1000);

  /** Sends a request whose query and signed text are written by hand. */
  function sendSigned(
    method: string,
    path: string,
    query: string,
    signed: string,
    options: { readonly body?: Buffer; readonly signedPath?: string } = {},
  ): Promise<ApiAnswer> {
    const text = `${method}\n${options.signedPath ?? path}\n${signed}`;
    const signature = createHmac('sha256', testApp.secret).update(text).digest('hex');
    const target = `${query}&auth_signature=${signature}`;
    return server.api.raw(method, `${path}?${target}`, options.body);
  }

  function authOf(): string {
    return `auth_key=${testApp.key}&auth_timestamp=${nowSeconds()}&auth_version=1.0`;
  }

  const channels = `/apps/${testApp.id}/channels`;

  it('7.2 each parameter of the signature is needed, and the first that fails is told', async () => {
    const texts: readonly (readonly [Readonly<Record<string, string | undefined>>, string | RegExp])[] = [
      [{ auth_key: undefined }, 'Missing parameter: auth_key'],
      [{ auth_key: 'nobody', auth_version: undefined }, 'Unknown auth_key'],
      [{ auth_version: undefined, auth_timestamp: undefined }, 'Version required'],
      [{ auth_version: '2.0', auth_timestamp: undefined }, 'Version not supported'],
      [{ auth_timestamp: undefined, auth_signature: undefined }, 'Timestamp required'],
      [
        { auth_signature: undefined },
        /^Invalid signature: you should have sent HmacSHA256Hex\("GET\\n\/apps/,
      ],
      [{ auth_signature: '0'.repeat(64) }, /^Invalid signature/],
    ];
    for (const [sign, text] of texts) {
      const { status, json } = await server.api.get('/channels', {}, { sign });
      expect(status).toBe(401);
      const { error } = json as { error: string };
      if (typeof text === 'string') expect(error).toBe(text);
      else expect(error).toMatch(text);
      expect(error).not.toContain(testApp.secret);
    }
  });

  it.each([590, -590])('7.2 a timestamp %s seconds off is accepted', async (offset) => {
    expect((await server.api.get('/channels', {}, { timestamp: nowSeconds() + offset })).status).toBe(200);
  });

  it.each([610, -610])('7.2 a timestamp %s seconds off is refused', async (offset) => {
    const { status, json } = await server.api.get('/channels', {}, { timestamp: nowSeconds() + offset });
    expect(status).toBe(401);
    expect((json as { error: string }).error).toMatch(
      /^Timestamp expired: Given timestamp .* not within 600s/,
    );
  });

  it('7.2 a timestamp is digits only', async () => {
    for (const given of ['now', '', `${nowSeconds()}.5`, ` ${nowSeconds()}`, `+${nowSeconds()}`, '1e9']) {
      expect((await server.api.get('/channels', {}, { sign: { auth_timestamp: given } })).status).toBe(401);
    }
  });

  it('7.2 body_md5 of an empty body on GET is accepted, as python sends it', async () => {
    expect((await server.api.get('/channels', {}, { sign: { body_md5: emptyMd5 } })).status).toBe(200);
    expect((await server.api.get('/channels', {}, { sign: { body_md5: '0'.repeat(32) } })).status).toBe(401);
  });

  it('7.2 a body needs its body_md5, of the bytes that were sent', async () => {
    const body = '{ "name":"x", "channels":["c"], "data":"\\u00e9é" }';
    expect((await server.api.post('/events', body)).status).toBe(200);
    expect((await server.api.post('/events', body, { sign: { body_md5: undefined } })).status).toBe(401);
    const reserialised = createHash('md5')
      .update(JSON.stringify(JSON.parse(body)))
      .digest('hex');
    expect((await server.api.post('/events', body, { sign: { body_md5: reserialised } })).status).toBe(401);
  });

  it('7.2 a body that was changed on the way is refused', async () => {
    const body = '{"name":"x","channels":["c"],"data":""}';
    const md5 = createHash('md5').update(body).digest('hex');
    const query = `${authOf()}&body_md5=${md5}`;
    const changed = Buffer.from(body.replace('"c"', '"d"'));
    const answer = await sendSigned('POST', `/apps/${testApp.id}/events`, query, query, { body: changed });
    expect(answer.status).toBe(401);
  });

  it('7.2 every parameter is signed, known or not', async () => {
    expect((await server.api.get('/channels', { whatever: 'x' })).status).toBe(200);
    expect((await server.api.get('/channels', {}, { extraQuery: 'whatever=x' })).status).toBe(401);
    expect((await server.api.get('/channels', {}, { extraQuery: 'filter_by_prefix=x' })).status).toBe(401);
  });

  it('7.2 keys are lower-cased and sorted', async () => {
    const signed = `${authOf()}&zeta=1`.split('&');
    const answer = await sendSigned(
      'GET',
      channels,
      ['ZETA=1', ...signed.slice(0, 3)].join('&'),
      signed.join('&'),
    );
    expect(answer.status).toBe(200);
  });

  it('7.2 values are signed decoded: %2C and a comma are the same', async () => {
    const auth = authOf();
    for (const list of ['user_count%2Csubscription_count', 'user_count,subscription_count']) {
      const signed = `${auth}&filter_by_prefix=presence-&info=user_count,subscription_count`;
      const sent = `${auth}&filter_by_prefix=presence-&info=${list}`;
      const { status } = await sendSigned('GET', channels, sent, signed);
      expect(status).toBe(400);
    }
    const { status } = await sendSigned(
      'GET',
      channels,
      `${auth}&filter_by_prefix=presence%2D&info=user%5Fcount`,
      `${auth}&filter_by_prefix=presence-&info=user_count`,
    );
    expect(status).toBe(200);
  });

  it('7.2 + is a plus or a space, as it was signed', async () => {
    const auth = authOf();
    for (const prefix of ['a+b', 'a b']) {
      const signed = `${auth}&filter_by_prefix=${prefix}`;
      expect((await sendSigned('GET', channels, `${auth}&filter_by_prefix=a+b`, signed)).status).toBe(200);
    }
    const answer = await sendSigned(
      'GET',
      channels,
      `${auth}&filter_by_prefix=a%20b`,
      `${auth}&filter_by_prefix=a b`,
    );
    expect(answer.status).toBe(200);
    const mixed = await sendSigned(
      'GET',
      channels,
      `${auth}&filter_by_prefix=a%2Bb`,
      `${auth}&filter_by_prefix=a b`,
    );
    expect(mixed.status).toBe(401);
  });

  it('7.2 list parameters are signed in the order they came', async () => {
    const query = `${authOf()}&k[]=b&k[]=a`;
    expect((await sendSigned('GET', channels, query, query)).status).toBe(200);
  });

  it('7.2 the path is signed raw or decoded', async () => {
    const auth = authOf();
    const wired = `/apps/${testApp.id}/users/a%20b@=,;.%C3%A9/terminate_connections`;
    const plain = `/apps/${testApp.id}/users/a b@=,;.é/terminate_connections`;
    expect((await sendSigned('POST', wired, auth, auth, { signedPath: wired })).status).toBe(200);
    expect((await sendSigned('POST', wired, auth, auth, { signedPath: plain })).status).toBe(200);
  });

  it('7.2 the path is never normalised', async () => {
    const auth = authOf();
    for (const path of [
      `/apps/x/../${testApp.id}/channels`,
      `//apps/${testApp.id}/channels`,
      `${channels}/./x`,
    ]) {
      const normal = new URL(path, 'http://h').pathname;
      expect((await sendSigned('GET', path, auth, auth, { signedPath: normal })).status).not.toBe(200);
    }
    const slash = `/apps/${testApp.id}/users/a%2Fb/terminate_connections`;
    const decoded = `/apps/${testApp.id}/users/a/b/terminate_connections`;
    expect((await sendSigned('POST', slash, auth, auth, { signedPath: decoded })).status).toBe(401);
    expect((await sendSigned('POST', decoded, auth, auth)).status).toBe(404);
  });

  it('7.2 below a prefix only the /apps part is signed', async () => {
    const prefixed = await start({ config: { server: { path: '/ws' } } });
    const auth = authOf();
    const text = `GET\n${channels}\n${auth}`;
    const signature = createHmac('sha256', testApp.secret).update(text).digest('hex');
    const answer = await prefixed.api.raw('GET', `/ws${channels}?${auth}&auth_signature=${signature}`);
    expect(answer.status).toBe(200);
  });

  it('7.2 the same request may be sent again', async () => {
    const query = authOf();
    const answers = [
      await sendSigned('GET', channels, query, query),
      await sendSigned('GET', channels, query, query),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  });

  it('7.2 the key must be one of the app in the path', async () => {
    const foreign = new TestApi({ ...server, key: otherApp.key, secret: otherApp.secret });
    const { status, json } = await foreign.get('/channels');
    foreign.close();
    expect([status, json]).toEqual([401, { error: 'Unknown auth_key', code: 'http.auth-key-unknown' }]);
  });

  it('7.2 each key pair of the app signs', async () => {
    const second = new TestApi({ ...server, key: 'second-key', secret: 'second-secret' });
    expect((await second.get('/channels')).status).toBe(200);
    second.close();
    const crossed = new TestApi({ ...server, key: 'second-key' });
    expect((await crossed.get('/channels')).status).toBe(401);
    crossed.close();
  });

  it('7.2 a parameter given twice is refused', async () => {
    const { status, json } = await server.api.get('/channels', {}, { extraQuery: `auth_key=${testApp.key}` });
    expect([status, json]).toEqual([
      400,
      { error: 'Parameter auth_key is given twice', code: 'http.duplicate-parameter' },
    ]);
    const cased = await server.api.get('/channels', {}, { extraQuery: `AUTH_KEY=${testApp.key}` });
    expect(cased.status).toBe(400);
  });

  it('7.2 a query that is no percent-encoded UTF-8 is 400', async () => {
    expect((await server.api.get('/channels', {}, { extraQuery: 'x=%zz' })).status).toBe(400);
    expect((await server.api.get('/channels', {}, { extraQuery: 'x=%ff' })).status).toBe(400);
  });

  it.each([
    [
      'GET',
      '/apps/3/channels',
      'filter_by_prefix=presence-&info=user_count',
      '16819168891cb5dfd72b5c7a5d3d602605b26c6ba1930033b5e2eeeb65010291',
      '',
    ],
    [
      'GET',
      '/apps/3/channels/presence-foobar',
      'info=user_count,subscription_count',
      '377ee9260ea002a70c0d40cd887d55cb36db9f7f821297f5efacbcce66be356d',
      '',
    ],
    [
      'GET',
      '/apps/3/channels/presence-foobar/users',
      `body_md5=${emptyMd5}`,
      '3d68b512095fd42cb6741cc80616761b1c77d00fcc4d6d9740f09504a4b761b0',
      '',
    ],
    [
      'GET',
      '/apps/3/channels',
      'filter_by_prefix=a%20b',
      'de6617877141606bba51dd555625a6407145bc2c38fe1715334e4b774248db1c',
      '',
    ],
    [
      'POST',
      '/apps/3/events',
      'body_md5=ec365a775a4cd0599faeb73354201b6f',
      'da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c',
      '{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}',
    ],
    [
      'POST',
      '/apps/3/users/12345/terminate_connections',
      'body_md5=99914b932bd37a50b983c5e7c90ae93b',
      '01fa634edeb0cae84115307cad5c23f65a46cd286461b1c89637a3b5871a8f0e',
      '{}',
    ],
  ])('7.2 worked example: %s %s?%s', (method, rawPath, parameters, signature, body) => {
    const auth = 'auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0';
    const rawQuery = `${auth}&${parameters}&auth_signature=${signature}`;
    const request = { method, rawPath, rawQuery, query: parseQuery(rawQuery), body: Buffer.from(body) };
    const key = toSigningKey('7ad3773142a6692b25b8');
    expect(verifyHttpSignature(request, () => key, 1353088179)).toBe(request.query);
  });
}

function statusAndBody(start: Start): void {
  let server: Started;
  beforeAll(async () => {
    server = await start({ config: { apps: [testApp, { ...otherApp, enabled: false }] } });
  });

  const tooLarge = 'x'.repeat(10_241);

  it.each<readonly [number, string, string, unknown]>([
    [400, 'The request body must be a JSON object', '/events', 'nonsense'],
    [400, 'The request body must be a JSON object', '/events', '[]'],
    [400, 'The request body must be a JSON object', '/events', undefined],
    [400, 'Missing required parameter: name', '/events', {}],
    [400, 'Expected name parameter to be a string', '/events', { name: 7, data: '', channel: 'c' }],
    [
      400,
      'Expected name parameter to be 1 to 200 characters',
      '/events',
      { name: '', data: '', channel: 'c' },
    ],
    [400, 'Missing required parameter: data', '/events', { name: 'x', channel: 'c' }],
    [400, 'Missing required parameter: channel', '/events', { name: 'x', data: '' }],
    [400, 'Missing required parameter: channels', '/events', { name: 'x', data: '', channels: [] }],
    [
      400,
      'Expected channels parameter to be an array of strings',
      '/events',
      { name: 'x', data: '', channels: 'c' },
    ],
    [400, 'Missing required parameter: batch', '/batch_events', {}],
    [400, 'Expected batch parameter to be an array', '/batch_events', { batch: {} }],
    [
      400,
      'Missing required parameter: channel',
      '/batch_events',
      { batch: [{ name: 'x', data: '', channels: ['c'] }] },
    ],
    [400, 'Expected batch[0] parameter to be an object', '/batch_events', { batch: ['c'] }],
    [
      413,
      'The data content of this event exceeds the allowed maximum (10240 bytes)',
      '/events',
      { name: 'x', data: tooLarge, channel: 'c' },
    ],
  ])('7.3 status and text: %s %s', async (status, error, path, body) => {
    const answer = await server.api.post(path, body);
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('application/json');
    expect(answer.json).toEqual({ error, code: expect.stringMatching(/^http\./) });
  });

  it('7.3 the texts of the state queries', async () => {
    const texts: readonly (readonly [string, Readonly<Record<string, string>>, string])[] = [
      [
        '/channels',
        { info: 'user_count' },
        'user_count may only be requested for presence channels - please supply filter_by_prefix beginning with presence-',
      ],
      [
        '/channels/x',
        { info: 'user_count' },
        'Cannot retrieve the user count unless the channel is a presence channel',
      ],
      ['/channels/x/users', {}, 'Users can only be retrieved for presence channels'],
      ['/channels/x', { info: 'cache' }, 'Cannot retrieve the cache unless the channel is a cache channel'],
      [
        '/channels/x',
        { info: 'subscription_count' },
        'Cannot retrieve the subscription count unless it is enabled: set subscriptionCount for this app',
      ],
      ['/channels/not%20valid', {}, 'Expected channel parameter to be a valid channel name'],
    ];
    for (const [path, query, error] of texts) {
      const answer = await server.api.get(path, query);
      expect(answer.status).toBe(400);
      expect(answer.json).toMatchObject({ error });
    }
  });

  it('7.3 authentication is 401', async () => {
    expect((await server.api.raw('GET', `/apps/${testApp.id}/channels`)).status).toBe(401);
  });

  it('7.3 a disabled app is 403, once its signature held', async () => {
    const disabled = new TestApi({
      ...server,
      appId: otherApp.id,
      key: otherApp.key,
      secret: otherApp.secret,
    });
    expect((await disabled.get('/channels')).status).toBe(403);
    expect((await disabled.get('/channels', {}, { sign: { auth_signature: '' } })).status).toBe(401);
    disabled.close();
  });

  it('7.3 an unknown app is 404', async () => {
    const unknown = new TestApi({ ...server, appId: 'nobody' });
    expect((await unknown.get('/channels')).status).toBe(404);
    expect((await unknown.post('/events', {})).status).toBe(404);
    unknown.close();
  });

  it('7.3 a body above the cap is 413, and the server goes on', async () => {
    const capped = await start({ config: { http: { maxBodyBytes: 2048 } } });
    const answer = await capped.api.post('/events', {
      name: 'x',
      channel: 'c',
      data: '',
      more: 'x'.repeat(2048),
    });
    expect(answer.status).toBe(413);
    expect((await capped.api.trigger('c', 'x', '')).status).toBe(200);
  });
}

function publishing(start: Start): void {
  let server: Started;
  let counting: Started;
  beforeAll(async () => {
    server = await start();
    counting = await start({ app: { subscriptionCount: true } });
  });

  async function subscriber(channel: string, to = server): Promise<TestClient> {
    const client = await connect(to);
    await client.subscribed(channel, channel.startsWith('presence-') ? { user_id: 'a' } : undefined);
    return client;
  }

  /** What the subscriber got up to an event that is published now. */
  async function received(client: TestClient, channel: string): Promise<readonly string[]> {
    await server.api.trigger(channel, 'last', '');
    return eventsOf(await client.until('last')).slice(0, -1);
  }

  it.each(['x'.repeat(10_240), 'é'.repeat(5_120), '"'.repeat(10_240), '\u0000'.repeat(10_240)])(
    '7.4 data of 10240 bytes in UTF-8 passes, however long the body is (%#)',
    async (data) => {
      const channel = room();
      const client = await subscriber(channel);
      expect((await server.api.trigger(channel, 'big', data)).status).toBe(200);
      expect((await client.waitFor('big')).data).toBe(data);
    },
  );

  it.each(['x'.repeat(10_241), `${'é'.repeat(5_120)}x`, '😀'.repeat(2_561)])(
    '7.4 data of more than 10240 bytes in UTF-8 is 413 (%#)',
    async (data) => {
      const channel = room();
      const client = await subscriber(channel);
      expect((await server.api.trigger(channel, 'big', data)).status).toBe(413);
      expect(await received(client, channel)).toEqual([]);
    },
  );

  it('7.4 the limit holds for the JSON of data that is no string', async () => {
    const body = { name: 'x', channel: room(), data: { a: 'x'.repeat(10_240) } };
    expect((await server.api.post('/events', body)).status).toBe(413);
  });

  it('7.4 a batch of ten large events passes', async () => {
    const batch = Array.from({ length: 10 }, () => ({
      channel: room(),
      name: 'x',
      data: '"'.repeat(10_240),
    }));
    expect((await server.api.post('/batch_events', { batch })).status).toBe(200);
  });

  it('7.4 a batch has up to 10 events', async () => {
    const batch = Array.from({ length: 11 }, () => ({ channel: room(), name: 'x', data: '' }));
    expect((await server.api.post('/batch_events', { batch: batch.slice(1) })).status).toBe(200);
    const { status, json } = await server.api.post('/batch_events', { batch });
    expect([status, json]).toMatchObject([400, { error: 'Batch too large (11 > 10)' }]);
  });

  it.each([
    ['too large', { name: 'x', data: 'x'.repeat(10_241) }],
    ['without a name', { data: '' }],
    ['with a reserved name', { name: 'pusher:x', data: '' }],
    ['without data', { name: 'x' }],
    ['no object', undefined],
  ])('7.4 one bad item and nothing of a batch is delivered: %s', async (_why, item) => {
    const channel = room();
    const client = await subscriber(channel);
    const good = { channel, name: 'good', data: '' };
    const batch = [good, good, item === undefined ? 'item' : { channel, ...item }];
    expect((await server.api.post('/batch_events', { batch })).status).toBeGreaterThanOrEqual(400);
    expect(await received(client, channel)).toEqual([]);
  });

  it('7.4 one bad channel and nothing of an event is delivered', async () => {
    const channel = room();
    const client = await subscriber(channel);
    for (const bad of ['not valid', 7, null, '#x', ''])
      expect(
        (await server.api.post('/events', { name: 'x', data: '', channels: [channel, bad] })).status,
      ).toBe(400);
    expect(await received(client, channel)).toEqual([]);
  });

  it('7.4 an event name has 1 to 200 characters of any kind', async () => {
    const channel = room();
    const client = await subscriber(channel);
    for (const name of ['App\\Events\\X', '.foo', 'a b', '☃', 'client-x', '__proto__', 'x'.repeat(200)]) {
      expect((await server.api.trigger(channel, name, '')).status).toBe(200);
      expect((await client.next()).event).toBe(name);
    }
    for (const name of ['', 'x'.repeat(201)])
      expect((await server.api.trigger(channel, name, '')).status).toBe(400);
  });

  it.each(['pusher:error', 'pusher:anything', 'pusher_internal:member_added'])(
    '7.4 reserved names cannot be published: %s',
    async (name) => {
      const channel = room();
      const client = await subscriber(channel);
      expect((await server.api.trigger(channel, name, '')).status).toBe(400);
      expect(await received(client, channel)).toEqual([]);
    },
  );

  it('7.4 channels wins over channel', async () => {
    const [many, single] = [room(), room()];
    const client = await subscriber(many);
    await client.subscribed(single);
    await server.api.post('/events', { name: 'x', data: '', channels: [many], channel: single });
    expect((await client.waitFor('x')).channel).toBe(many);
    expect(await received(client, single)).toEqual([]);
  });

  it('7.4 an event has up to 100 channels', async () => {
    const channels = Array.from({ length: 101 }, () => room());
    const client = await subscriber(channels[99]!);
    expect((await server.api.trigger(channels.slice(0, 100), 'x', '')).status).toBe(200);
    await client.waitFor('x', channels[99]);
    const { status, json } = await server.api.trigger(channels, 'x', '');
    expect([status, json]).toMatchObject([400, { error: 'Too many channels (101 > 100)' }]);
  });

  it('7.4 a channel named twice gets the event once', async () => {
    const channel = room();
    const client = await subscriber(channel, counting);
    await client.drain();
    const info = 'subscription_count';
    const { json } = await counting.api.trigger([channel, channel], 'x', '', { info });
    expect(json).toEqual({ channels: { [channel]: { subscription_count: 1 } } });
    await counting.api.trigger(channel, 'last', '');
    expect(
      eventsOf(await client.until('last')).filter((event) => event !== 'pusher_internal:subscription_count'),
    ).toEqual(['x', 'last']);
  });

  it('7.4 socket_id excludes that connection only', async () => {
    const channel = room();
    const [one, other] = [await subscriber(channel), await subscriber(channel)];
    await server.api.trigger(channel, 'x', '', { socket_id: one.socketId });
    await other.waitFor('x');
    expect(await received(one, channel)).toEqual([]);
  });

  it.each(['1.1', 'undefined', 'null', '', '123123', 'a.b', '1.1\n'])(
    '7.4 a socket_id that is nobody’s excludes nobody: %j',
    async (socketId) => {
      const channel = room();
      const client = await subscriber(channel);
      expect((await server.api.trigger(channel, 'x', '', { socket_id: socketId })).status).toBe(200);
      expect(await received(client, channel)).toEqual(['x']);
    },
  );

  it('7.4 a closed socket_id is no error', async () => {
    const channel = room();
    const [gone, client] = [await subscriber(channel), await subscriber(channel)];
    await gone.close();
    expect((await server.api.trigger(channel, 'x', '', { socket_id: gone.socketId })).status).toBe(200);
    await client.waitFor('x');
  });

  it('7.4 socket_id null is none, a number is refused', async () => {
    expect((await server.api.trigger(room(), 'x', '', { socket_id: null })).status).toBe(200);
    expect((await server.api.trigger(room(), 'x', '', { socket_id: 1.1 })).status).toBe(400);
  });

  it('7.4 info that does not apply is left out of the answer to a publish', async () => {
    const channel = room();
    const { json } = await server.api.trigger(channel, 'x', '', {
      info: 'user_count,subscription_count,unknown',
    });
    expect(json).toEqual({ channels: { [channel]: {} } });
  });

  it('7.4 info that does not apply is 400 on the state queries', async () => {
    expect((await server.api.get('/channels/x', { info: 'user_count' })).status).toBe(400);
    expect((await server.api.get('/channels/presence-x', { info: 'subscription_count' })).status).toBe(400);
    expect((await server.api.get('/channels', { info: 'subscription_count' })).status).toBe(400);
  });

  it('7.4 unknown attributes are ignored', async () => {
    expect((await server.api.get('/channels/x', { info: 'unknown' })).json).toEqual({ occupied: false });
    expect((await server.api.get('/channels', { info: 'unknown' })).status).toBe(200);
  });

  it('7.4 user_count counts users, subscription_count connections', async () => {
    const channel = room('presence-');
    for (let tab = 0; tab < 3; tab++) await subscriber(channel, counting);
    const info = 'user_count,subscription_count';
    expect((await counting.api.get(`/channels/${channel}`, { info })).json).toEqual({
      occupied: true,
      user_count: 1,
      subscription_count: 3,
    });
    expect((await counting.api.get('/channels', { filter_by_prefix: channel, info })).json).toEqual({
      channels: { [channel]: { user_count: 1, subscription_count: 3 } },
    });
  });

  it('7.4 info=cache is for one cache channel only', async () => {
    expect((await server.api.get('/channels/cache-x', { info: 'cache' })).json).toEqual({
      occupied: false,
      cache: null,
    });
    expect((await server.api.get('/channels/x', { info: 'cache' })).status).toBe(400);
  });

  it('7.4 user_count of a list needs a prefix that starts with presence-', async () => {
    for (const filter of ['', 'presence', 'x-presence-', 'private-']) {
      const query = { filter_by_prefix: filter, info: 'user_count' };
      expect((await server.api.get('/channels', query)).status).toBe(400);
    }
    const query = { filter_by_prefix: 'presence-abc', info: 'user_count' };
    expect((await server.api.get('/channels', query)).status).toBe(200);
  });

  it('7.4 filter_by_prefix is literal, and empty means all', async () => {
    const fresh = await start();
    const client = await connect(fresh);
    for (const channel of ['a.b', 'axb', 'a', '__proto__']) await client.subscribed(channel);
    const listed = async (prefix: string): Promise<readonly string[]> => {
      const { json } = await fresh.api.get('/channels', { filter_by_prefix: prefix });
      return Object.keys((json as { channels: object }).channels).sort();
    };
    expect(await listed('a.')).toEqual(['a.b']);
    expect(await listed('.*')).toEqual([]);
    expect(await listed('__proto__')).toEqual(['__proto__']);
    expect(await listed('')).toEqual(['__proto__', 'a', 'a.b', 'axb']);
  });

  it('7.4 an unoccupied channel is published to with 200', async () => {
    expect((await server.api.trigger(room(), 'x', '')).text).toBe('{}');
  });

  it.each(['', 'cache-'])(
    '7.4 the order of one connection’s requests holds per channel: %sroom',
    async (prefix) => {
      const channel = room(prefix);
      const client = await subscriber(channel);
      for (let sent = 0; sent < 60; sent++) await server.api.trigger(channel, 'n', String(sent));
      for (let sent = 0; sent < 60; sent++) expect((await client.waitFor('n')).data).toBe(String(sent));
    },
  );

  it('7.4 the order of a batch holds per channel', async () => {
    const channel = room('cache-');
    const client = await subscriber(channel);
    const batch = Array.from({ length: 10 }, (_, index) => ({ channel, name: 'n', data: String(index) }));
    await server.api.post('/batch_events', { batch });
    for (let sent = 0; sent < 10; sent++) expect((await client.waitFor('n')).data).toBe(String(sent));
  });

  it('7.4 a field the caller inherits or adds does no harm', async () => {
    const channel = room();
    const client = await subscriber(channel);
    const body = `{"name":"x","data":"","channel":"${channel}","__proto__":{"socket_id":"${client.socketId}"},"id":1}`;
    expect((await server.api.post('/events', body)).status).toBe(200);
    await client.waitFor('x');
  });
}

function terminating(start: Start): void {
  let server: Started;
  beforeAll(async () => {
    server = await start();
  });

  const terminate = (userId: string): Promise<ApiAnswer> =>
    server.api.post(`/users/${userId}/terminate_connections`, {});

  async function signedIn(id: string): Promise<TestClient> {
    const client = await connect(server);
    client.signin({ id });
    await client.waitFor('pusher:signin_success');
    return client;
  }

  it('7.5 every connection signed in as the user is closed with 4009, no other', async () => {
    const [one, two, other] = [await signedIn('ann'), await signedIn('ann'), await signedIn('ben')];
    expect((await terminate('ann')).text).toBe('{}');
    const message = 'The application ended the connections of this user';
    for (const client of [one, two]) {
      expect(wire(await client.next())).toEqual({ event: 'pusher:error', data: { code: 4009, message } });
      expect(await client.closed).toEqual({ code: 4009, reason: message });
    }
    expect(await other.drain()).toEqual([]);
  });

  it('7.5 membership of a presence channel alone does not count', async () => {
    const client = await connect(server);
    await client.subscribed(room('presence-'), { user_id: 'member' });
    await terminate('member');
    expect(await client.drain()).toEqual([]);
  });

  it('7.5 the user may connect again', async () => {
    const client = await signedIn('again');
    await terminate('again');
    await client.closed;
    expect(await (await signedIn('again')).drain()).toEqual([]);
  });

  it('7.5 the id in the path is decoded once', async () => {
    const client = await signedIn('a@b=c,d.e;f');
    await terminate('%61@b=c,d.e;f');
    expect((await client.closed).code).toBe(4009);
    const twice = await signedIn('x');
    await terminate('%2578');
    expect(await twice.drain()).toEqual([]);
  });

  it('7.5 the others are told that the user left', async () => {
    const channel = room('presence-');
    const [witness, client] = [await connect(server), await signedIn('leaver')];
    await witness.subscribed(channel, { user_id: 'witness' });
    await client.subscribed(channel);
    await terminate('leaver');
    expect((await witness.waitFor('pusher_internal:member_removed')).data).toBe('{"user_id":"leaver"}');
  });
}

function isolation(start: Start): void {
  let server: Started;
  let other: TestApi;
  beforeAll(async () => {
    server = await start();
    other = new TestApi({ ...server, appId: otherApp.id, key: otherApp.key, secret: otherApp.secret });
  });

  const foreign = { key: otherApp.key, secret: otherApp.secret };

  it('7.4 two apps with the same channel names never meet', async () => {
    const [channel, members, cached] = [room(), room('presence-'), room('cache-')];
    const [here, there] = [await connect(server), await connect(server, foreign)];
    for (const [client, id] of [
      [here, 'h'],
      [there, 't'],
    ] as const) {
      await client.subscribed(channel);
      expect(await client.subscribed(members, { user_id: id })).toMatchObject({ presence: { ids: [id] } });
    }
    await server.api.trigger([channel, members, cached], 'here', '');
    await other.trigger([channel, members], 'there', '');
    await server.api.trigger([channel, members], 'last', '');
    await other.trigger([channel, members], 'last', '');
    expect([...(await untilTwice(here, 'last'))].sort()).toEqual(['here', 'here', 'last', 'last']);
    expect([...(await untilTwice(there, 'last'))].sort()).toEqual(['last', 'last', 'there', 'there']);
    there.subscribe(cached);
    expect(eventsOf(await there.drain())).toEqual([
      'pusher_internal:subscription_succeeded',
      'pusher:cache_miss',
    ]);
    expect((await other.get(`/channels/${members}/users`)).json).toEqual({ users: [{ id: 't' }] });
    await here.close();
    await server.log.waitFor('connection.closed', ({ socketId }) => socketId === here.socketId);
    expect((await other.get(`/channels/${channel}`)).json).toEqual({ occupied: true });
    expect(await there.drain()).toEqual([]);
    other.close();
  });

  it('7.5 a user is terminated in its own app only', async () => {
    const there = await connect(server, foreign);
    there.signin({ id: 'ann' });
    await there.waitFor('pusher:signin_success');
    await server.api.post('/users/ann/terminate_connections', {});
    expect(await there.drain()).toEqual([]);
  });
}

/** The names of what came up to the second event of that name: one on each of two channels, of which no order is promised. */
async function untilTwice(client: TestClient, event: string): Promise<readonly string[]> {
  return eventsOf([...(await client.until(event)), ...(await client.until(event))]);
}
