import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { loadConfig } from '../../config/load.ts';
import { systemClock } from '../../lib/flow/clock.ts';
import { startServer } from '../../lib/server.ts';
import { createMemoryStores } from '../../lib/stores.ts';
import { Telemetry } from '../../lib/telemetry/telemetry.ts';
import { EventLog } from '../support/event-log.ts';
import { testApp } from '../support/server.ts';
import { endpoint } from './outbox/open-outbox.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stores-'));
});
afterEach(() => rm(folder, { recursive: true }));

function open(spoolFile: string) {
  const { config } = loadConfig({ env: {}, overrides: { webhooks: { spoolFile } } });
  const log = new EventLog();
  const telemetry = new Telemetry();
  void telemetry.events$.forEach((event) => log.add(event));
  const stores = createMemoryStores(config, () => undefined, {
    clock: systemClock,
    telemetry,
    nodeId: 'node-of-a-spec',
  });
  return { stores, log };
}

async function leaveSomething(spoolFile: string): Promise<void> {
  const { stores } = open(spoolFile);
  await stores.outbox.open([endpoint('hook')]);
  await stores.outbox.append([{ kind: 'cache_miss', appId: 'app-1', channel: 'x' }]);
  await stores.close();
}

describe('stores in memory', () => {
  test('say why the spool file could not be written, and close all the same', async () => {
    const file = join(folder, 'missing', 'spool');
    const { stores, log } = open(file);
    await stores.outbox.open([endpoint('hook')]);
    await stores.outbox.append([{ kind: 'cache_miss', appId: 'app-1', channel: 'x' }]);
    await stores.close();
    expect(log.all('outbox.spool-failed')).toMatchObject([
      { file, events: 1, reason: expect.stringContaining('ENOENT') },
    ]);
    expect(log.all('outbox.spooled')).toEqual([]);
  });

  test('give back what they took up when the start fails', async () => {
    const file = join(folder, 'spool');
    await leaveSomething(file);
    const failed = open(file).stores;
    await failed.open();
    expect(await readdir(folder)).toEqual([]);
    await failed.abandon();
    const { stores, log } = open(file);
    await stores.open();
    expect(log.all('outbox.restored')).toMatchObject([{ events: 1 }]);
  });

  test('that took nothing up leave the file to a process that runs', async () => {
    const file = join(folder, 'spool');
    const { stores } = open(file);
    await stores.open();
    await stores.abandon();
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('a server that cannot listen', () => {
  test('leaves what an earlier process spooled', async () => {
    const spoolFile = join(folder, 'spool');
    await leaveSomething(spoolFile);
    const other = createServer();
    await new Promise<void>((resolve) => {
      other.listen(0, '127.0.0.1', resolve);
    });
    const { port } = other.address() as AddressInfo;
    const overrides = { apps: [testApp], server: { port }, admin: { port: 0 }, webhooks: { spoolFile } };
    const { config } = loadConfig({ env: {}, overrides });
    const quiet = {
      next: () => undefined,
      setLevel: () => undefined,
      close: () => Promise.resolve(),
      dropped: 0,
    };
    await expect(startServer(config, { log: quiet })).rejects.toThrow();
    other.close();
    expect(await readFile(spoolFile, 'utf8')).toContain('cache_miss');
  });
});
