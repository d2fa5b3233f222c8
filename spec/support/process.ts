import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { testApp } from './server.ts';

export interface ServerProcess {
  readonly port: number;
  readonly adminPort: number;
  readonly key: string;
  readonly secret: string;
  readonly appId: string;
  readonly pid: number;
  readonly child: ChildProcess;
  /** The log lines so far, parsed. */
  readonly lines: readonly Readonly<Record<string, unknown>>[];
  /** The first line with that `msg`, of those there are or of those to come. */
  waitFor(
    msg: string,
    matches?: (line: Readonly<Record<string, unknown>>) => boolean,
  ): Promise<Readonly<Record<string, unknown>>>;
  /** Sends SIGTERM and answers the exit code. */
  stop(): Promise<number | null>;
}

/**
 * Starts the built server (`npm run build`) as a process of its own on free ports, with a configuration in the shape of
 * the file. `entry` is what node runs; default: the command of the product.
 */
export async function startServerProcess(
  config: Readonly<Record<string, unknown>> = {},
  env: Readonly<Record<string, string>> = {},
  entry = 'bin/spillway.js',
): Promise<ServerProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-'));
  const file = join(folder, 'spillway.json');
  const server = { ...(config['server'] as object | undefined), port: 0 };
  const admin = { ...(config['admin'] as object | undefined), port: 0 };
  writeFileSync(file, JSON.stringify({ apps: [testApp], ...config, server, admin }));
  const child = spawn(process.execPath, [resolve(entry), 'start', '--config', file], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
  // A run that is broken off leaves no server behind.
  const kill = (): unknown => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  void exited.then(() => rmSync(folder, { recursive: true, force: true }));
  const log = new ProcessLog(child);
  const listening = await Promise.race([log.waitFor('server.listening'), exited.then(() => undefined)]);
  if (listening === undefined) throw new Error(`the server did not start: ${log.errors.join('')}`);
  return {
    port: Number(listening['port']),
    adminPort: Number(listening['adminPort']),
    key: testApp.key,
    secret: testApp.secret,
    appId: testApp.id,
    pid: child.pid ?? 0,
    child,
    lines: log.lines,
    waitFor: (msg, matches) => log.waitFor(msg, matches),
    stop: () => {
      child.kill('SIGTERM');
      return exited;
    },
  };
}

type Line = Readonly<Record<string, unknown>>;

class ProcessLog {
  readonly lines: Line[] = [];
  readonly errors: string[] = [];
  readonly #waiting = new Set<{ matches: (line: Line) => boolean; found: (line: Line) => void }>();

  constructor(child: ChildProcess) {
    child.stderr?.on('data', (chunk: Buffer) => this.errors.push(chunk.toString()));
    if (child.stdout === null) throw new Error('stdout is not piped');
    createInterface({ input: child.stdout }).on('line', (text) => this.#add(JSON.parse(text) as Line));
  }

  waitFor(msg: string, matches: (line: Line) => boolean = () => true): Promise<Line> {
    const isIt = (line: Line): boolean => line['msg'] === msg && matches(line);
    const seen = this.lines.find(isIt);
    if (seen !== undefined) return Promise.resolve(seen);
    return new Promise((resolve) => {
      this.#waiting.add({ matches: isIt, found: resolve });
    });
  }

  #add(line: Line): void {
    this.lines.push(line);
    for (const waiting of this.#waiting) {
      if (!waiting.matches(line)) continue;
      this.#waiting.delete(waiting);
      waiting.found(line);
    }
  }
}
