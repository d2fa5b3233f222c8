import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type AdminServer, startAdminServer } from '../../../lib/admin/admin-server.ts';
import { main } from '../../../lib/cli/main.ts';
import { ConfigFiles } from '../../config/config-files.ts';
import { FakeWebhooks, occupied } from '../admin/fake-webhooks.ts';
import { FakeTerminal } from './fake-terminal.ts';

const token = 'open-sesame';
const files = new ConfigFiles();
let webhooks: FakeWebhooks;
let server: AdminServer;

beforeEach(async () => {
  webhooks = new FakeWebhooks();
  server = await startAdminServer({
    config: { host: '127.0.0.1', port: 0, token },
    readiness: () => ({ ready: true, checks: {} }),
    metrics: () => Promise.resolve(''),
    contentType: 'text/plain',
    webhooks,
  });
});
afterEach(() => server.close());
afterAll(() => files.remove());

/** Runs `spillway webhooks …` as it would be run on the server's machine: with its configuration. */
async function run(args: readonly string[], admin: readonly string[] = ownFlags()) {
  const terminal = new FakeTerminal();
  const exitCode = await main(['webhooks', ...args, ...admin], terminal);
  return { exitCode, out: terminal.written, err: terminal.errors };
}

const ownFlags = (): readonly string[] => [
  '--config',
  files.write({ admin: { port: server.port, token }, apps: [{ id: 'a', key: 'k', secret: 's' }] }),
];

describe('spillway webhooks list', () => {
  it('shows a line for each endpoint', async () => {
    const { exitCode, out, err } = await run(['list']);
    expect([exitCode, err]).toEqual([0, '']);
    const [header = '', orders, audit, bot, old] = out.split('\n');
    expect(header).toMatch(/^APP +ENDPOINT +HOST +STATE +UNDELIVERED +OLDEST/);
    expect(orders).toMatch(/^shop {2}orders +shop\.example:8443 +open +3 +2026-11-21T10:00:00\.000Z/);
    expect(audit).toMatch(/^shop {2}audit +audit\.example +closed +0 +- /);
    expect(bot).toMatch(/^chat {2}bot/);
    expect(old).toMatch(/^shop {2}old +- +retired/);
  });

  it('prints what the server answered with --json', async () => {
    const { out } = await run(['list', '--json']);
    expect(JSON.parse(out)).toMatchObject({ endpoints: [{ id: 'orders', deadLetters: 1 }, {}, {}, {}] });
  });
});

describe('spillway webhooks events', () => {
  it('shows a line for each event, and lets no text of it steer the terminal', async () => {
    const { exitCode, out } = await run(['events', '--app', 'shop']);
    expect(exitCode).toBe(0);
    const [header, first, second] = out.split('\n');
    expect(header).toMatch(/^AT +ID +NAME +CHANNEL +USER +SEQ +DELIVERIES$/);
    expect(first).toMatch(/e1-1 +channel_occupied +room +- +1 +orders: delivered, audit: pending$/);
    expect(second).toMatch(/e2-2 +member_added +presence-x +ada\ufffd\[2J +2 +orders: dead$/);
    expect(out).not.toContain('\u001b');
  });

  it('hands its conditions on', async () => {
    const conditions = { endpoint: 'orders', id: 'e1-1', channel: 'room', state: 'dead' };
    const given = { app: 'shop', ...conditions, limit: '5', from: '1', to: '2026-11-21' };
    const flags = Object.entries(given).flatMap(([name, value]) => [`--${name}`, value]);
    expect((await run(['events', ...flags])).exitCode).toBe(0);
    const { endpoint: endpointId, ...same } = conditions;
    const query = { appId: 'shop', endpointId, ...same, fromMs: 1, toMs: Date.UTC(2026, 10, 21) };
    expect(webhooks.queries).toEqual([{ query, limit: 6 }]);
  });

  it('says that there are more, and that there are none', async () => {
    expect((await run(['events', '--app', 'shop', '--limit', '1'])).out).toContain('There are more');
    webhooks.events = [];
    expect((await run(['events', '--app', 'shop'])).out).toBe('No such event is kept.\n');
  });

  it('needs no --app where one app alone has endpoints', async () => {
    webhooks.keepOnly('chat');
    expect((await run(['events'])).exitCode).toBe(0);
    expect(webhooks.queries).toEqual([{ query: { appId: 'chat' }, limit: 101 }]);
  });

  it('asks for --app where several have', async () => {
    expect(await run(['events'])).toEqual({
      exitCode: 2,
      out: '',
      err: 'error: several apps have endpoints: give --app, one of shop, chat\n',
    });
  });
});

describe('spillway webhooks inspect', () => {
  it('shows the fields of the event and each delivery', async () => {
    const { exitCode, out } = await run(['inspect', 'e2-2', '--app', 'shop']);
    expect(exitCode).toBe(0);
    expect(out).toMatch(/^name +member_added\nchannel +presence-x\n/);
    expect(out).toMatch(
      /\nat +2026-11-21T10:00:01\.000Z\n\nENDPOINT +STATE +BATCH +FAILURES +LAST FAILURE\n/,
    );
    expect(out).toMatch(/\norders +dead +msg_2 +7 +422\n$/);
  });

  it('says when no endpoint takes it', async () => {
    webhooks.events = [{ event: occupied.event, deliveries: [] }];
    expect((await run(['inspect', 'e1-1', '--app', 'shop'])).out).toMatch(/\n\nNo endpoint takes it\.\n$/);
  });

  it('exits with 1 when there is no such event', async () => {
    expect(await run(['inspect', 'e9', '--app', 'shop'])).toEqual({
      exitCode: 1,
      out: '',
      err: 'spillway: No event e9 of app shop is kept\n',
    });
  });
});

describe('spillway webhooks retry', () => {
  it('asks the endpoint again', async () => {
    const { exitCode, out } = await run(['retry', '--app', 'shop', '--endpoint', 'orders']);
    expect([exitCode, out]).toEqual([0, 'Asked again: orders.\n']);
    expect(webhooks.resumed).toEqual(['shop orders']);
    expect(webhooks.replays).toEqual([]);
  });

  it('replays dead letters too', async () => {
    const { out } = await run(['retry', '--app', 'chat', '--dead-letters']);
    expect(out).toBe('Asked again: bot. 2 events sent again.\n');
    expect(webhooks.replays).toHaveLength(1);
  });
});

describe('spillway webhooks replay', () => {
  it('sends events again and says how many', async () => {
    const { exitCode, out } = await run(['replay', '--app', 'shop', '--channel', 'room', '--limit', '9']);
    expect([exitCode, out]).toEqual([0, 'On the way again, to orders, audit: 2 events.\n']);
    expect(webhooks.replays).toEqual([{ query: { appId: 'shop', channel: 'room' }, limit: 9 }]);
  });

  it('says when there may be more, and when there was nothing', async () => {
    const replay = ['replay', '--app', 'shop', '--from', '2026-11-21', '--limit', '1'];
    expect((await run(replay)).out).toContain('1 event. That is as many as were asked for');
    webhooks.replayable = 0;
    expect((await run(replay)).out).toMatch(/^Nothing is sent again: no such event was delivered/);
  });

  it('wants to know which events', async () => {
    expect(await run(['replay', '--app', 'shop'])).toEqual({
      exitCode: 2,
      out: '',
      err: 'error: Missing required parameter: id, channel, from or to\n',
    });
    expect(webhooks.replays).toEqual([]);
  });
});

describe('a command for a running server', () => {
  it('takes address and token from the flags, and then needs no configuration', async () => {
    const flags = ['--admin', `http://127.0.0.1:${server.port}/`, '--token', token];
    expect((await run(['list', '--config', files.missing()], flags)).exitCode).toBe(0);
  });

  it('takes them from the environment', async () => {
    const terminal = new FakeTerminal({
      SPILLWAY_ADMIN_PORT: String(server.port),
      SPILLWAY_ADMIN_TOKEN: token,
      SPILLWAY_ADMIN_HOST: '0.0.0.0',
    });
    expect(await main(['webhooks', 'list'], terminal)).toBe(0);
  });

  it('says what to do about a wrong token', async () => {
    const { exitCode, err } = await run(
      ['list'],
      ['--admin', `http://127.0.0.1:${server.port}`, '--token', 'wrong'],
    );
    expect(exitCode).toBe(1);
    expect(err).toMatch(/did not accept the token: give admin\.token with --token/);
  });

  it('says what to do when nobody answers', async () => {
    const { port } = server;
    const flags = ownFlags();
    await server.close();
    const { exitCode, err, out } = await run(['list'], flags);
    expect([exitCode, out]).toEqual([1, '']);
    expect(err).toBe(
      `spillway: no answer from http://127.0.0.1:${port} (ECONNREFUSED): is the server running, and is this its admin listener? --admin URL names another\n`,
    );
  });

  it.each([
    ['text', 200, 'hello'],
    ['JSON of another kind', 404, '{"message":"what?"}'],
    ['the public listener', 404, '{"error":"Path not found: /webhooks","code":"http.not-found"}'],
  ])('says so when something else answers: %s', async (_what, status, body) => {
    const other = createServer((_request, response) => response.writeHead(status).end(body));
    await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
    const base = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const { exitCode, err } = await run(['list'], ['--admin', base, '--token', token]);
    other.closeAllConnections();
    await new Promise((done) => other.close(done));
    expect([exitCode, err]).toEqual([
      1,
      `spillway: ${base} answered ${status}, but not as Spillway's admin listener does: is that its address?\n`,
    ]);
  });

  it.each([
    ['a port that is not known', ['list', '--set', 'admin.port=0'], 'give --admin URL'],
    ['an address that is none', ['list', '--admin', '127.0.0.1:9601'], '--admin has to be a URL'],
    ['a limit that is no number', ['events', '--limit', 'all'], 'Expected a number, 1 or more'],
    ['a moment that is none', ['events', '--app', 'shop', '--from', 'noon'], 'to be a time such as'],
    ['no id', ['inspect'], "missing required argument 'id'"],
  ])('exits with 2 for wrong usage: %s', async (_what, args, message) => {
    const { exitCode, out, err } = await run(args);
    expect([exitCode, out]).toEqual([2, '']);
    expect(err).toContain(message);
  });
});
