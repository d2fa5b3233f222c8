import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { freshCheckout, newFolder } from '../support/checkout.ts';
import { startServerProcess } from '../support/process.ts';
import { untilLine } from '../support/until-line.ts';

const readme = readFileSync('README.md', 'utf8');

/** The fenced blocks of a language, in order. */
function blocks(language: string): readonly string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    (match) => match[1] ?? '',
  );
}

const [runCommand = '', testCommand = ''] = blocks('sh').map((block) => block.trim());
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

describe('the two commands', () => {
  it('are one line each', () => {
    expect(runCommand).toMatch(/^[^\n]+ npm start$/);
    expect(testCommand).toMatch(/^[^\n]+ npm test$/);
  });

  it('CI runs the second', () => {
    expect(readFileSync('.ci/run', 'utf8').trimEnd().split('\n').at(-1)).toBe(testCommand);
  });

  it('the first ends with a listening server and the snippets, in a fresh checkout', async () => {
    const folder = freshCheckout('readme');
    folders.push(folder);
    // The ports are the only thing changed: others may be using the standard ones here.
    const env = { ...process.env, SPILLWAY_SERVER_PORT: '0', SPILLWAY_ADMIN_PORT: '0' };
    const child = spawn('sh', ['-c', runCommand], {
      cwd: folder,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const { line, errors } = await untilLine(child, 'server.listening');
    expect(line).toMatchObject({ host: '127.0.0.1' });
    const live = await fetch(`http://127.0.0.1:${String(line?.['port'])}/live`);
    expect(live.status).toBe(200);
    const closed = new Promise((done) => child.once('close', done));
    process.kill(-(child.pid ?? 0), 'SIGTERM');
    await closed;
    expect(errors()).toContain("import Pusher from 'pusher-js';");
    expect(errors()).toContain('PUSHER_APP_KEY=app-key');
  }, 180_000);
});

/** A body that a receiver gets twice, with an event that is in it twice. */
const twice = JSON.stringify({ time_ms: 1, events: [{ id: 'a' }, { id: 'b' }, { id: 'a' }] });

describe('the snippets', () => {
  it('work together: what the server SDK publishes, pusher-js hears', async () => {
    const server = await startServerProcess({
      apps: [{ id: 'app-id', key: 'app-key', secret: 'app-secret' }],
    });
    const folder = newFolder('snippets');
    folders.push(folder);
    symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
    const [client = '', publisher = ''] = blocks('js').map((code) =>
      code.replaceAll('6001', String(server.port)),
    );
    writeFileSync(join(folder, 'client.mjs'), client);
    writeFileSync(join(folder, 'publisher.mjs'), publisher);
    const listening = spawn(process.execPath, ['client.mjs'], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await server.waitFor('channel.occupied');
    const published = spawnSync(process.execPath, ['publisher.mjs'], { cwd: folder, encoding: 'utf8' });
    expect(published.stderr).toBe('');
    const heard = await new Promise<string>((done) => {
      listening.stdout.once('data', (chunk: Buffer) => done(chunk.toString()));
    });
    expect(heard).toBe("{ text: 'hello' }\n");
    listening.kill();
    expect(await server.stop()).toBe(0);
  }, 60_000);

  it('are the same for Laravel in the README and in what the server prints', () => {
    const [ini = ''] = blocks('ini');
    const printed = spawnSync(process.execPath, ['bin/spillway.js', 'check'], { encoding: 'utf8' });
    expect(printed.status).toBe(0);
    for (const line of ini.trim().split('\n')) expect(line).toMatch(/^(PUSHER|BROADCAST)_[A-Z_]+=\S+$/);
  });

  it('of a receiver act on each id once, in Node.js', () => {
    const [, , receiver = ''] = blocks('js');
    const script = `
      const seen = new Set();
      const query = async (_, [id]) => ({ rowCount: seen.size < seen.add(id).size ? 1 : 0 });
      const db = { transaction: (work) => work({ query }) };
      const handle = (event) => process.stdout.write(event.id);
      const body = '${twice}';
      { ${receiver} }
      { ${receiver} }`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module'], {
      input: script,
      encoding: 'utf8',
    });
    expect([stdout, stderr]).toEqual(['ab', '']);
  });

  it('of a receiver act on each id once, in PHP', () => {
    const [receiver = ''] = blocks('php');
    const script = `<?php
      class DB {
        static array $seen = [];
        static function transaction($work) { $work(); }
        static function table($name) { return new DB; }
        function insertOrIgnore($row) { $new = !isset(self::$seen[$row['id']]); self::$seen[$row['id']] = true; return (int) $new; }
      }
      function handle($event) { echo $event['id']; }
      $body = '${twice}';
      ${receiver}
      ${receiver}`;
    const { stdout, stderr } = spawnSync('php', [], { input: script, encoding: 'utf8' });
    expect([stdout, stderr]).toEqual(['ab', '']);
  });
});
