import { createHash, createHmac } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type ApiAnswer, TestApi } from '../support/api.ts';
import { closeClients, connect, type TestClient } from '../support/client.ts';
import { closeRawSockets, openRaw } from '../support/raw-socket.ts';
import { otherApp, startTestServer, testApp, type TestServer } from '../support/server.ts';

/** One server that takes the short cuts and one that does not, each with a subscriber of the same channels. */
interface Side {
  readonly server: TestServer;
  readonly client: TestClient;
}

const channels = ['room', 'other', 'private-x', 'cache-x'];
let sides: readonly [short: Side, general: Side];

async function startSide(fastPaths: boolean): Promise<Side> {
  const server = await startTestServer({ config: { server: { fastPaths, path: '/below' } } });
  const client = await connect(server, { path: `/below/app/${testApp.key}?protocol=7` });
  for (const channel of channels) await client.subscribed(channel);
  await client.drain();
  return { server, client };
}

beforeAll(async () => {
  sides = [await startSide(true), await startSide(false)];
});
afterEach(closeRawSockets);
afterAll(async () => {
  closeClients();
  await Promise.all(sides.map(({ server }) => server.stop()));
});

interface Sent {
  readonly method?: string;
  readonly path?: string;
  /** What is signed, where it is not the path. */
  readonly signedPath?: string;
  readonly body?: string | Buffer;
  readonly app?: { readonly key: string; readonly secret: string };
  /** Replaces parameters; undefined leaves one out. */
  readonly query?: Readonly<Record<string, string | undefined>>;
  /** The names in the order in which they are sent. */
  readonly order?: readonly string[];
  readonly extraQuery?: string;
}

const events = `/apps/${testApp.id}/events`;
const batches = `/apps/${testApp.id}/batch_events`;
const nowSeconds = Math.floor(Date.now() / 1000);

/** The request target, signed. */
function targetOf(sent: Sent): string {
  const { method = 'POST', path = events, signedPath = path, body = '', app = testApp } = sent;
  const parameters: Record<string, string | undefined> = {
    auth_key: app.key,
    auth_timestamp: String(nowSeconds),
    auth_version: '1.0',
    ...(body.length === 0 ? {} : { body_md5: createHash('md5').update(body).digest('hex') }),
    ...sent.query,
  };
  const given = Object.entries(parameters).filter((pair): pair is [string, string] => pair[1] !== undefined);
  const signed = given.map(([name, value]) => `${name}=${value}`).sort();
  const text = `${method}\n${signedPath}\n${signed.join('&')}`;
  const all = new Map([
    ...given,
    ['auth_signature', createHmac('sha256', app.secret).update(text).digest('hex')],
  ]);
  const names = [...(sent.order ?? []), ...all.keys()];
  const query = [...new Set(names)].map((name) => `${name}=${encodeURIComponent(all.get(name) ?? '')}`);
  return `${path}?${[...query, ...(sent.extraQuery === undefined ? [] : [sent.extraQuery])].join('&')}`;
}

/** What a request leads to, without what differs between any two servers: their dates. */
async function outcomeOf({ server, client }: Side, sent: Sent): Promise<object> {
  const api = new TestApi(server);
  const body = Buffer.from(sent.body ?? '');
  const answer = await api.raw(sent.method ?? 'POST', targetOf(sent), body).finally(() => api.close());
  return { ...withoutDate(answer), delivered: (await client.drain()).map(({ raw }) => raw) };
}

function withoutDate({ status, headers, text }: ApiAnswer): object {
  const { date, ...others } = headers;
  return { status, headers: others, text, isDated: typeof date === 'string' };
}

async function outcomes(sent: Sent): Promise<readonly [object, object]> {
  return [await outcomeOf(sides[0], sent), await outcomeOf(sides[1], sent)];
}

const hi = { name: 'hi', channel: 'room', data: 'there' };
const json = (value: unknown): string => JSON.stringify(value);
const item = (channel: string, data: unknown): object => ({ name: 'one', channel, data });

const usual: readonly (readonly [title: string, sent: Sent, delivered: readonly unknown[]])[] = [
  ['one channel', { body: json(hi) }, ['there']],
  [
    'several channels',
    { body: json({ ...hi, channels: channels.slice(0, 3) }) },
    ['there', 'there', 'there'],
  ],
  ['a batch', { path: batches, body: json({ batch: [item('other', '1'), item('room', '2')] }) }, ['1', '2']],
  ['no subscriber', { body: json({ ...hi, channel: 'nobody' }) }, []],
  ['a cache channel', { body: json({ ...hi, channel: 'cache-x' }) }, ['there']],
  ['data with escapes', { body: json({ ...hi, data: '{"a":"\\"\n☃\u0000"}' }) }, ['{"a":"\\"\n☃\u0000"}']],
  ['data that is no string', { body: json({ ...hi, data: { a: [1] } }) }, ['{"a":[1]}']],
  ['a lone surrogate in escapes', { body: '{"name":"hi","channel":"room","data":"\\ud800"}' }, ['\ud800']],
  ['a field given twice', { body: '{"name":"hi","channel":"room","data":"a","data":"b"}' }, ['b']],
  ['an info that is asked for', { body: json({ ...hi, info: 'subscription_count' }) }, ['there']],
  ['the signature in the middle', { body: json(hi), order: ['body_md5', 'auth_signature'] }, ['there']],
  ['another parameter', { body: json(hi), query: { zeta: 'a b+c&d=é' } }, ['there']],
  ['an ampersand too many', { body: json(hi), extraQuery: '' }, ['there']],
];

const refused: readonly (readonly [title: string, sent: Sent, status: number])[] = [
  ['a body that was changed', { body: json(hi), query: { body_md5: '0'.repeat(32) } }, 401],
  ['no digest of the body', { body: json(hi), query: { body_md5: undefined } }, 401],
  ['a signature that was changed', { body: json(hi), signedPath: batches }, 401],
  ['an unknown key', { body: json(hi), query: { auth_key: 'nobody' } }, 401],
  ['the key of another app', { body: json(hi), app: otherApp }, 401],
  ['another version', { body: json(hi), query: { auth_version: '2.0' } }, 401],
  ['no timestamp', { body: json(hi), query: { auth_timestamp: undefined } }, 401],
  ['a parameter given twice', { body: json(hi), extraQuery: 'auth_version=1.0' }, 400],
  ['a broken escape', { body: json(hi), extraQuery: 'x=%zz' }, 400],
  ['no body', {}, 400],
  ['no JSON', { body: '{' }, 400],
  ['bytes that are no UTF-8', { body: Buffer.from([0x7b, 0xff, 0x7d]) }, 400],
  ['data that is too long', { body: json({ ...hi, data: 'x'.repeat(10_241) }) }, 413],
  ['a body that is too long', { body: ' '.repeat(1_048_577) }, 413],
  ['a batch with one wrong item', { path: batches, body: json({ batch: [item('room', ''), {}] }) }, 400],
  ['another method', { method: 'PUT', body: json(hi) }, 405],
  ['a path that goes on', { path: `${events}/`, body: json(hi) }, 404],
  ['a path that goes back', { path: `/apps/${testApp.id}/x/../events`, body: json(hi) }, 404],
  ['an unknown app', { path: '/apps/nobody/events', body: json(hi) }, 404],
];

describe('a publish that takes the short cut is answered and delivered as one that does not:', () => {
  it.each(usual)('%s', async (_, sent, delivered) => {
    const [short, general] = await outcomes(sent);
    expect(short).toEqual(general);
    expect(short).toMatchObject({ status: 200, isDated: true });
    const { delivered: frames } = short as { delivered: readonly string[] };
    expect(frames.map((raw) => (JSON.parse(raw) as { data: unknown }).data)).toEqual(delivered);
  });

  it.each(refused)('%s, which is refused', async (_, sent, status) => {
    const [short, general] = await outcomes(sent);
    expect(short).toEqual(general);
    expect(short).toMatchObject({ status, delivered: [] });
  });

  it.each([
    ['below the prefix', `/below${events}`, events],
    ['with an escape in its path', `/apps/${encodeURIComponent('app-1').replace('-', '%2D')}/events`, events],
  ])('%s', async (_, path, signedPath) => {
    const [short, general] = await outcomes({ path, signedPath, body: json(hi) });
    expect(short).toEqual(general);
    expect(short).toMatchObject({ status: 200 });
  });

  it('any fields in any query', async () => {
    const field = fc.constantFrom('name', 'data', 'channel', 'channels', 'socket_id', 'info', '__proto__');
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom('room', 'cache-x', ['room', 'other']),
    );
    const one = fc.oneof(
      fc.dictionary(field, value),
      value.map((data) => ({ ...hi, data })),
    );
    const body = fc.oneof(
      one,
      fc.array(one, { maxLength: 3 }).map((batch) => ({ batch })),
    );
    const query = fc.dictionary(fc.stringMatching(/^x[a-z_]{0,5}$/), fc.string({ unit: 'grapheme' }));
    const request = fc.record({
      path: fc.constantFrom(events, batches),
      body: body.map(json),
      query,
      order: fc.shuffledSubarray(['auth_key', 'auth_signature', 'auth_timestamp', 'body_md5']),
    });
    await fc.assert(
      fc.asyncProperty(request, async (sent) => {
        const [short, general] = await outcomes(sent);
        expect(short).toEqual(general);
      }),
      { numRuns: 150 },
    );
  });
});

describe('requests on one connection', () => {
  const requestText = (body: string): string =>
    `POST ${targetOf({ body })} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

  it.each([0, 1] as const)(
    'that are sent at once are answered and delivered in their order (%s)',
    async (side) => {
      const { server, client } = sides[side];
      const socket = await openRaw(server.port);
      const bodies = ['1', '2', undefined, '3'].map((data) => json({ ...hi, data }));
      socket.write(bodies.map(requestText).join(''));
      const statuses: number[] = [];
      for (let answered = 0; answered < bodies.length; answered++)
        statuses.push((await socket.answer()).status);
      expect(statuses).toEqual([200, 200, 400, 200]);
      const delivered = (await client.drain()).map(({ data }) => data);
      expect(delivered).toEqual(['1', '2', '3']);
    },
  );

  it.each([0, 1] as const)('may come byte by byte (%s)', async (side) => {
    const { server, client } = sides[side];
    const socket = await openRaw(server.port);
    for (const byte of Buffer.from(requestText(json(hi)))) socket.write(Buffer.from([byte]));
    expect(await socket.answer()).toMatchObject({ status: 200, body: '{}' });
    expect((await client.drain()).map(({ data }) => data)).toEqual(['there']);
  });
});
