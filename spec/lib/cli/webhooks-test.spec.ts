import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { main } from '../../../lib/cli/main.ts';
import { ConfigFiles, ownApp } from '../../config/config-files.ts';
import { type Receiver, startReceiver } from '../../support/receiver.ts';
import { FakeTerminal } from './fake-terminal.ts';

const files = new ConfigFiles();
afterAll(() => files.remove());

const otherApp = { id: 'blog', key: 'blog-key', secret: 'blog-secret' };

async function tryOut(config: object, args: readonly string[] = []) {
  const terminal = new FakeTerminal();
  const exitCode = await main(['webhooks', 'test', '--config', files.write(config), ...args], terminal);
  return { exitCode, written: terminal.written, errors: terminal.errors };
}

describe('spillway webhooks test', () => {
  let receiver: Receiver;
  let host: string;

  beforeEach(async () => {
    receiver = await startReceiver(ownApp);
    ({ host } = new URL(receiver.url));
  });
  afterEach(() => receiver.stop());

  const config = (webhook: object = {}, webhooks: object = {}) => ({
    apps: [{ ...ownApp, webhooks: [{ id: 'orders', url: receiver.url, ...webhook }] }],
    webhooks,
  });

  it('posts one signed example, and says what the endpoint answered and how fast', async () => {
    const { exitCode, written, errors } = await tryOut(config());
    expect({ exitCode, errors }).toEqual({ exitCode: 0, errors: '' });
    expect(written).toMatch(/^127\.0\.0\.1:\d+ \(shop\/orders\): 200, \d+ ms\n$/);
    const [attempt, ...others] = receiver.journal.attempts;
    expect(others).toEqual([]);
    expect(attempt?.objections).toEqual([]);
    expect(attempt?.headers['user-agent']).toBe('Spillway/1.2.3');
    expect(attempt?.events).toEqual([
      {
        name: 'channel_occupied',
        channel: 'spillway-test',
        id: expect.stringMatching(/^test-/),
        seq: 1,
        prev_seq: 0,
        epoch: expect.stringMatching(/^test-/),
      },
    ]);
  });

  it('sends another id each time, so that it is not taken for a repeat', async () => {
    await tryOut(config());
    await tryOut(config());
    const [first, second] = receiver.journal.attempts;
    expect(first?.events[0]?.id).not.toBe(second?.events[0]?.id);
    expect(first?.webhookId).not.toBe(second?.webhookId);
  });

  it.each([
    [301, /301, a redirect, which is not followed, .*\n {2}Put the address/],
    [401, /401, .*\n {2}It did not accept the signature.*webhooks secret --app shop --endpoint orders/],
    [404, /404, .*\n {2}Nothing is at this path/],
    [405, /405, .*\n {2}It takes no POST/],
    [410, /410, .*\n {2}It wants no more events/],
    [422, /422, .*\n {2}It does not want this request/],
    [429, /429, .*\n {2}It is asked too often/],
    [503, /503, .*\n {2}It failed: its log should say why/],
  ])('exits with 1 and says what to do about %i', async (status, text) => {
    await receiver.behave({ kind: 'status', status });
    const { exitCode, written } = await tryOut(config());
    expect(written).toMatch(text);
    expect(exitCode).toBe(1);
  });

  it('exits with 1 and says why there was no answer', async () => {
    await receiver.behave({ kind: 'refuse' });
    const { exitCode, written } = await tryOut(config());
    expect(written).toMatch(/: connection refused: .*\n {2}It has to be up, reachable from here/);
    expect(exitCode).toBe(1);
  });

  it('goes by the settings for delivery', async () => {
    await receiver.behave({ kind: 'hang' });
    await expect(tryOut(config({}, { timeoutMs: 100 }))).resolves.toMatchObject({
      exitCode: 1,
      written: expect.stringContaining('no answer within 100 ms'),
    });
    await expect(tryOut(config({}, { allowPrivateNetworks: false }))).resolves.toMatchObject({
      exitCode: 1,
      written: expect.stringContaining('127.0.0.1 is not a public address'),
    });
    expect(receiver.journal.attempts).toHaveLength(1);
  });

  it('tries every endpoint, or those that are chosen, and fails when one does', async () => {
    const apps = [
      { ...ownApp, webhooks: [{ id: 'orders', url: receiver.url }] },
      { ...otherApp, webhooks: [{ id: 'posts', url: `http://${host}/elsewhere` }] },
    ];
    const all = await tryOut({ apps });
    expect(all.exitCode).toBe(1);
    expect(all.written).toMatch(/\(shop\/orders\): 200, .*\n.*\(blog\/posts\): 404, .*\n {2}Nothing/);
    const chosen = [
      ['--app', 'shop'],
      ['--endpoint', 'orders'],
    ];
    for (const args of chosen) {
      const one = await tryOut({ apps }, args);
      expect(one.exitCode).toBe(0);
      expect(one.written).toMatch(/^.*\(shop\/orders\): 200, \d+ ms\n$/);
    }
  });

  it('shows no password, token or path of a URL', async () => {
    const url = receiver.url.replace('http://', 'http://ann:hunter2@').concat('?token=hunter3');
    const { written } = await tryOut(config({ url }));
    expect(written).toMatch(/^127\.0\.0\.1:\d+ \(shop\/orders\): /);
    expect(written).not.toMatch(/hunter|ann|token=/);
  });

  it('says what to do without an endpoint, and what there is for a wrong one', async () => {
    await expect(tryOut({ apps: [ownApp] })).resolves.toEqual({
      exitCode: 1,
      written: '',
      errors: 'spillway: no app has a webhook endpoint: add one to its webhooks in the configuration\n',
    });
    await expect(tryOut(config(), ['--endpoint', 'order'])).resolves.toEqual({
      exitCode: 2,
      written: '',
      errors: 'error: there is no endpoint order: there is shop/orders\n',
    });
  });
});
