import { spawn, spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { chmodSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { newFolder } from '../support/checkout.ts';
import { closeClients, connect } from '../support/client.ts';
import { type ServerProcess, startServerProcess } from '../support/process.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';

const page = readFileSync('docs/webhooks.md', 'utf8');
const readme = readFileSync('README.md', 'utf8');

/** The fenced blocks of a language, in order. */
function blocks(language: string, text = page): readonly string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    (match) => match[1] ?? '',
  );
}

const app = { id: 'app-id', key: 'app-key', secret: 'app-secret' };
const token = 'open-sesame';
const commands = blocks('sh').flatMap((block) => block.trim().split('\n'));
const [verifyInNode = '', onceInNode = '', follow = ''] = blocks('js');
const [verifyInPhp = '', onceInPhp = ''] = blocks('php');

let folder: string;
let receiver: Receiver;
let server: ServerProcess;

beforeAll(async () => {
  folder = newFolder('webhooks');
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
  receiver = await startReceiver(app);
  const config = {
    admin: { token },
    apps: [{ ...app, webhooks: [{ id: 'orders', url: receiver.url }] }],
    webhooks: { graceMs: 10, batchWindowMs: 5 },
  };
  writeFileSync(join(folder, 'spillway.json'), JSON.stringify(config));
  const command = join(folder, 'spillway');
  writeFileSync(command, `#!/bin/sh\nexec "${process.execPath}" "${resolve('bin/spillway.js')}" "$@"\n`);
  chmodSync(command, 0o755);
  server = await startServerProcess(config);
});
afterEach(closeClients);
afterAll(async () => {
  await server.stop();
  await receiver.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a command of the page as somebody would who follows it. */
function run(command: string, eventId: string) {
  const ofHere = command
    .replace('EVENT_ID', eventId)
    .replace('127.0.0.1:9601', `127.0.0.1:${server.adminPort}`);
  const env = {
    PATH: [folder, process.env['PATH'] ?? ''].join(delimiter),
    SPILLWAY_ADMIN_PORT: String(server.adminPort),
    SPILLWAY_ADMIN_TOKEN: token,
  };
  // The commands answer the receiver in this process too, so none of them may hold it up.
  const child = spawn('sh', ['-c', ofHere], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const texts = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (texts.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (texts.stderr += chunk.toString()));
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((done) =>
    child.once('close', (code) => done({ code, ...texts })),
  );
}

async function enter(channel: string, user: string) {
  const client = await connect({ port: server.port, key: app.key, secret: app.secret });
  await client.subscribed(channel, { user_id: user });
  return client;
}

/** The id of an event that was delivered. */
async function deliveredEvent(): Promise<string> {
  await enter('presence-room', 'ada');
  await receiver.journal.until(({ events }) => events.some(({ name }) => name === 'member_added'));
  return receiver.journal.events.find(({ name }) => name === 'member_added')?.id ?? '';
}

describe('docs/webhooks.md', () => {
  it.each(commands)('has a command that works: %s', async (command) => {
    const { code, stdout, stderr } = await run(command, await deliveredEvent());
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).not.toBe('');
  });

  it('has every command there is', async () => {
    const { stdout } = await run('spillway webhooks --help', '');
    const [, list = ''] = stdout.split('Commands:\n');
    const names = [...list.matchAll(/^ {2}(\w+)/gm)]
      .map(([, name]) => name ?? '')
      .filter((name) => name !== 'help');
    expect(names.length).toBeGreaterThan(6);
    for (const name of names) expect(commands.join('\n')).toContain(`spillway webhooks ${name}`);
  });

  it('has a configuration that can be started', () => {
    const [config = ''] = blocks('json');
    writeFileSync(join(folder, 'example.json'), config);
    const checked = spawnSync(
      process.execPath,
      ['bin/spillway.js', 'check', '--config', join(folder, 'example.json')],
      {
        encoding: 'utf8',
      },
    );
    expect([checked.status, checked.stderr]).toEqual([0, '']);
  });

  it('shows events with the fields they have', async () => {
    const [, example = ''] = blocks('json');
    const shown = JSON.parse(example) as { events: object[] };
    const eventId = await deliveredEvent();
    const attempt = receiver.journal.taken.find(({ events }) => events.some(({ id }) => id === eventId));
    const sent = JSON.parse(String(attempt?.body)) as { events: { name: string }[] };
    expect(Object.keys(sent)).toEqual(Object.keys(shown));
    const fieldsOf = (events: readonly object[], name: string) =>
      Object.keys(events.find((event) => 'name' in event && event.name === name) ?? {});
    expect(fieldsOf(receiver.journal.events, 'channel_occupied')).toEqual(
      fieldsOf(shown.events, 'channel_occupied'),
    );
    expect(fieldsOf(receiver.journal.events, 'member_added')).toEqual(fieldsOf(shown.events, 'member_added'));
    expect(attempt?.objections).toEqual([]);
  });

  it('has the same receivers that act once as the README, where a spec runs them', () => {
    expect(blocks('js', readme)).toContain(onceInNode);
    expect(blocks('php', readme)).toContain(onceInPhp);
  });

  it('has a receiver in Node.js that takes what is sent and nothing else', async () => {
    const file = join(folder, 'receiver.mjs');
    const onAnyPort = ".listen(0, '127.0.0.1', function () { console.log(this.address().port); })";
    expect(verifyInNode).toContain(".listen(8080, '127.0.0.1')");
    writeFileSync(file, verifyInNode.replace(".listen(8080, '127.0.0.1')", onAnyPort));
    const child = spawn(process.execPath, [file], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = linesOf(child.stdout);
    const url = `http://127.0.0.1:${await lines()}`;
    await deliveredEvent();
    const [attempt] = receiver.journal.taken;
    const post = (body: string) => fetch(url, { method: 'POST', headers: attempt?.headers ?? {}, body });
    const body = String(attempt?.body);
    expect((await post(body)).status).toBe(204);
    expect(await lines()).toMatch(/^channel_occupied presence-/);
    expect((await post(body.replace('presence', 'presenze'))).status).toBe(401);
    child.kill();
  });

  it('has a receiver in PHP that takes what is signed and nothing else', () => {
    const script = `<?php\n${verifyInPhp.replace('php://input', 'php://stdin')}\necho 'taken';`;
    const file = join(folder, 'receiver.php');
    writeFileSync(file, script);
    const body = '{"time_ms":1,"events":[]}';
    const signature = createHmac('sha256', app.secret).update(body).digest('hex');
    const answer = (input: string, sent?: string): string =>
      spawnSync('php', ['-d', 'variables_order=EGPCS', file], {
        input,
        encoding: 'utf8',
        env: { PATH: process.env['PATH'], ...(sent === undefined ? {} : { HTTP_X_PUSHER_SIGNATURE: sent }) },
      }).stdout;
    expect([answer(body, signature), answer(`${body} `, signature), answer(body)]).toEqual(['taken', '', '']);
  });

  it('has an example that folds snapshot and stream to what is', async () => {
    writeFileSync(join(folder, 'follow.mjs'), follow.replace('6001', String(server.port)));
    const driver = `
      import { once } from 'node:events';
      import { begin, follow, online } from './follow.mjs';
      const position = await begin();
      console.log('began');
      await once(process.stdin, 'data');
      await follow(position);
      console.log(JSON.stringify([...online.get('presence-fold')].sort()));
      process.exit();`;
    const stays = await enter('presence-fold', 'stays');
    const goes = await enter('presence-fold', 'goes');
    await receiver.journal.until((journal) => journal.told('presence-fold').length === 3);
    const child = spawn(process.execPath, ['--input-type=module', '-e', driver], {
      cwd: folder,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines = linesOf(child.stdout);
    expect(await lines()).toBe('began');
    await enter('presence-fold', 'comes');
    await goes.close();
    await receiver.journal.until((journal) => journal.told('presence-fold').length === 5);
    child.stdin.write('go\n');
    expect(await lines()).toBe('["comes","stays"]');
    await stays.close();
  });
});

/** The lines of a stream, one at a time. */
function linesOf(stream: NodeJS.ReadableStream): () => Promise<string> {
  const iterator = createInterface({ input: stream })[Symbol.asyncIterator]();
  return async () => String((await iterator.next()).value);
}
