import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cpuMsOf, userMsOf } from './cpu.ts';
import { pinned } from './pin.ts';
import { app, type BenchServer, type ServerName } from './bench-server.ts';

type Stdio = ('ignore' | 'inherit' | 'ipc' | 'pipe' | number)[];

/** Starts Node with these arguments on the server's processor; it ends with this process. */
export function spawnNode(args: readonly string[], home: string, stdio: Stdio): ChildProcess {
  return spawnServer(process.execPath, args, home, stdio);
}

/** Starts a program on the server's processor; it ends with this process. */
export function spawnServer(
  program: string,
  args: readonly string[],
  home: string,
  stdio: Stdio,
): ChildProcess {
  const [command, all] = pinned('server', program, args);
  // soketi brings a process manager that writes into HOME, and into /etc when there is none.
  const child = spawn(command, all, { stdio, env: { PATH: process.env['PATH'] ?? '', HOME: home } });
  const kill = (): unknown => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  return child;
}

/** What every server has, whatever it speaks. `folder` is removed when it stops. */
export function processOf(name: ServerName, child: ChildProcess, folder?: string) {
  const pid = child.pid ?? 0;
  return {
    name,
    pid,
    cpuMs: () => cpuMsOf(pid),
    userMs: () => userMsOf(pid),
    tell: (word: string) => void child.send(word),
    told: (word: string) =>
      new Promise((done) => {
        child.once('message', done);
        child.send(word);
      }),
    stop: async () => {
      const exited = new Promise((done) => child.once('exit', done));
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await exited;
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    },
  } satisfies Partial<BenchServer>;
}

/** The port that a bare server tells over its channel to the parent. */
export function toldPort(child: ChildProcess): Promise<number> {
  return new Promise((done, reject) => {
    child.once('message', (message: { port: number }) => done(message.port));
    child.once('exit', (code) => reject(new Error(`the server ended with ${String(code)}`)));
  });
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

/** @throws Error when the server ends, or is not ready after 15 s. */
export async function untilReady(child: ChildProcess, url: string): Promise<void> {
  for (let left = 300; left > 0; left--) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    const isReady = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  child.kill('SIGKILL');
  throw new Error('the server was not ready after 15 s');
}

/** A request of the HTTP API that both servers sign alike. */
export async function countChannels(port: number, prefix: string): Promise<number> {
  const path = `/apps/${app.id}/channels`;
  const timestamp = Math.floor(Date.now() / 1000);
  const query = `auth_key=${app.key}&auth_timestamp=${timestamp}&auth_version=1.0&filter_by_prefix=${prefix}`;
  const signature = createHmac('sha256', app.secret).update(`GET\n${path}\n${query}`).digest('hex');
  const answer = await fetch(`http://127.0.0.1:${port}${path}?${query}&auth_signature=${signature}`);
  const { channels } = (await answer.json()) as { channels: object };
  return Object.keys(channels).length;
}
