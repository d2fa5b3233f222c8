import { afterAll, describe, expect, it } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { main } from '../../../lib/cli/main.ts';
import { ConfigFiles, ownApp } from '../../config/config-files.ts';
import { FakeTerminal } from './fake-terminal.ts';

const files = new ConfigFiles();
afterAll(() => files.remove());

const url = 'https://hooks.example/';
const ofApp = `whsec_${Buffer.from(ownApp.secret).toString('base64')}`;
const ownSecret = `whsec_${Buffer.from('a secret of its own').toString('base64')}`;
const orders = { id: 'orders', url, signingSecret: ownSecret };

async function secret(args: readonly string[], apps?: readonly object[]) {
  const terminal = new FakeTerminal();
  const config = apps === undefined ? [] : ['--config', files.write({ apps })];
  const exitCode = await main(['webhooks', 'secret', ...config, ...args], terminal);
  return { exitCode, written: terminal.written, errors: terminal.errors };
}

describe('spillway webhooks secret', () => {
  it('prints a new secret of 32 bytes, another each time', async () => {
    const first = await secret([]);
    const second = await secret([]);
    expect(first).toEqual({
      exitCode: 0,
      errors: '',
      written: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=\n$/),
    });
    expect(second.written).not.toBe(first.written);
    expect(() => new Webhook(first.written.trim())).not.toThrow();
  });

  it('prints one that the configuration takes and says is in force', async () => {
    const { written } = await secret([]);
    const webhooks = [{ url, signingSecret: written.trim() }];
    await expect(secret(['--app', 'shop'], [{ ...ownApp, webhooks }])).resolves.toEqual({
      exitCode: 0,
      errors: '',
      written,
    });
  });

  it('prints the one in force: of the endpoint, or else made of the secret of the app', async () => {
    const apps = [{ ...ownApp, webhooks: [orders, { id: 'stock', url }] }];
    await expect(secret(['--app', 'shop', '--endpoint', 'orders'], apps)).resolves.toMatchObject({
      written: `${ownSecret}\n`,
    });
    await expect(secret(['--endpoint', 'stock'], apps)).resolves.toMatchObject({ written: `${ofApp}\n` });
  });

  it('asks which endpoint is meant when there are several, and prints none', async () => {
    const apps = [{ ...ownApp, webhooks: [orders, { id: 'stock', url }] }];
    await expect(secret(['--app', 'shop'], apps)).resolves.toEqual({
      exitCode: 2,
      written: '',
      errors:
        'error: several endpoints are meant: give --app and --endpoint for one of shop/orders, shop/stock\n',
    });
  });

  it.each([
    [['--app', 'shed'], 'error: there is no app shed: there is shop\n'],
    [['--endpoint', 'order'], 'error: there is no endpoint order: there is shop/orders\n'],
    [[], 'error: --config has a secret for each endpoint: give --app or --endpoint too\n'],
  ])('says what there is when it is not found, and exits with 2: %j', async (args, errors) => {
    const apps = [{ ...ownApp, webhooks: [orders] }];
    await expect(secret(args, apps)).resolves.toEqual({ exitCode: 2, written: '', errors });
  });

  it('says what to do when the app has no endpoint, and exits with 1', async () => {
    await expect(secret(['--app', 'shop'], [ownApp])).resolves.toEqual({
      exitCode: 1,
      written: '',
      errors: 'spillway: app shop has no webhook endpoint: add one to its webhooks in the configuration\n',
    });
  });
});
