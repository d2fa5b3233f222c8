import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { validate } from 'dockerfile-utils';
import { parse } from 'yaml';
import { parseDuration } from '../../config/duration.ts';
import { loadConfig } from '../../config/load.ts';
import { freshCheckout, newFolder } from '../support/checkout.ts';
import { untilLine } from '../support/until-line.ts';

const dockerfile = readFileSync('Dockerfile', 'utf8');

interface Instruction {
  readonly name: string;
  readonly args: string;
}

/** The instructions of each stage of the Dockerfile, continued lines joined, comments left out. */
const stages = readStages(dockerfile);

function readStages(text: string): readonly (readonly Instruction[])[] {
  const lines = text
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n\s*/g, ' ')
    .split('\n');
  const instructions = lines.flatMap((line) => {
    const match = /^(\w+)\s+(.*)$/.exec(line);
    return match === null ? [] : [{ name: match[1] ?? '', args: match[2] ?? '' }];
  });
  const found: Instruction[][] = [];
  for (const instruction of instructions) {
    if (instruction.name === 'FROM') found.push([]);
    found.at(-1)?.push(instruction);
  }
  return found;
}

function argsOf(stage: number, name: string): readonly string[] {
  return (stages[stage] ?? []).filter((one) => one.name === name).map((one) => one.args);
}

describe('the Dockerfile', () => {
  it('has nothing a linter complains about', () => {
    expect(validate(dockerfile).map((problem) => problem.message)).toEqual([]);
  });

  it('builds in one stage and runs in another, as a user that is not root', () => {
    expect(stages).toHaveLength(2);
    expect(argsOf(1, 'USER')).toEqual(['node']);
    expect(argsOf(1, 'RUN')).toEqual([]);
  });

  it('says how to see that it is healthy and how to stop it', () => {
    expect(argsOf(1, 'HEALTHCHECK').join()).toContain('/ready');
    expect(argsOf(1, 'STOPSIGNAL')).toEqual(['SIGTERM']);
  });
});

describe('the steps of the image, run in a clean folder', () => {
  let image = '';
  const folders: string[] = [];

  beforeAll(() => {
    const build = newFolder('build');
    const context = freshCheckout('context');
    image = newFolder('image');
    folders.push(build, context, image);
    for (const { name, args } of stages[0] ?? []) {
      if (name === 'COPY') copy(context, build, args.split(' '));
      if (name === 'RUN') execFileSync('sh', ['-ec', args], { cwd: build, stdio: 'pipe' });
    }
    for (const args of argsOf(1, 'COPY'))
      copy(
        build,
        image,
        args
          .replace(/^--from=build /, '')
          .replaceAll('/app/', '')
          .split(' '),
      );
    chmodSync(image, 0o755);
  }, 180_000);

  afterAll(() => {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });

  const entry = JSON.parse(argsOf(1, 'ENTRYPOINT')[0] ?? '[]') as string[];
  const command = JSON.parse(argsOf(1, 'CMD')[0] ?? '[]') as string[];
  const imageEnv = Object.fromEntries(
    argsOf(1, 'ENV').flatMap((args) => args.split(/\s+/).map((pair) => pair.split('=') as [string, string])),
  );

  function start(env: Readonly<Record<string, string>>) {
    const [program = '', ...rest] = [...entry, ...command];
    const asNobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    return spawn(program, rest, {
      cwd: image,
      env: { PATH: process.env['PATH'] ?? '', ...imageEnv, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...asNobody,
    });
  }

  it('leave nothing behind that only the build needs', () => {
    expect(existsSync(join(image, 'node_modules/typescript7'))).toBe(false);
    expect(existsSync(join(image, 'lib'))).toBe(false);
  });

  it('start, answer and stop with exit code 0, without root', async () => {
    const child = start({
      SPILLWAY_SERVER_HOST: '127.0.0.1',
      SPILLWAY_SERVER_PORT: '0',
      SPILLWAY_ADMIN_PORT: '0',
      SPILLWAY_APP_ID: 'a',
      SPILLWAY_APP_KEY: 'k',
      SPILLWAY_APP_SECRET: 's',
    });
    const { line, errors, exited } = await untilLine(child, 'server.listening');
    expect(errors()).toBe('');
    const ready = await fetch(`http://127.0.0.1:${String(line?.['adminPort'])}/ready`);
    expect(ready.status).toBe(200);
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
  });

  it('refuse the development secret on an address that others can reach', async () => {
    const child = start({ SPILLWAY_SERVER_PORT: '0', SPILLWAY_ADMIN_PORT: '0' });
    const { line, errors, exited } = await untilLine(child, 'server.listening');
    expect(line).toBeUndefined();
    expect(await exited).toBe(1);
    expect(errors()).toContain('SPILLWAY_DEV=1');
  });

  it('load stages that are mounted, TypeScript as it is', async () => {
    const child = start({
      SPILLWAY_SERVER_HOST: '127.0.0.1',
      SPILLWAY_SERVER_PORT: '0',
      SPILLWAY_ADMIN_PORT: '0',
      SPILLWAY_STAGES: mounted('examples/stages'),
    });
    const { line } = await untilLine(child, 'stage.loaded');
    expect(line).toMatchObject({ stage: 'mask-card-numbers', slot: 'publish:accepted' });
    child.kill('SIGTERM');
  });

  /** Files of this checkout in a folder of their own, as a volume would show them. */
  function mounted(from: string): string {
    const folder = newFolder('stages');
    folders.push(folder);
    cpSync(from, folder, { recursive: true });
    chmodSync(folder, 0o755);
    return folder;
  }
});

function copy(from: string, to: string, words: readonly string[]): void {
  const target = words.at(-1) ?? '.';
  for (const source of words.slice(0, -1)) {
    const intoFolder = target.endsWith('/') || words.length > 2;
    const destination = intoFolder ? join(to, target, source.split('/').at(-1) ?? '') : join(to, target);
    mkdirSync(dirname(destination), { recursive: true });
    cpSync(join(from, source), destination, { recursive: true });
  }
}

interface Service {
  readonly command?: readonly string[];
  readonly volumes?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly stop_grace_period?: string;
  readonly build?: string;
}

describe('docker-compose.yml', () => {
  const { services } = parse(readFileSync('docker-compose.yml', 'utf8')) as {
    services: Readonly<Record<string, Service>>;
  };
  const spillway = services['spillway'] ?? {};

  it('runs the server beside a Redis that keeps an append-only file and evicts nothing', () => {
    expect(Object.keys(services)).toEqual(['redis', 'spillway']);
    expect(services['redis']?.command?.join(' ')).toContain('--appendonly yes');
    expect(services['redis']?.command?.join(' ')).toContain('--maxmemory-policy noeviction');
  });

  it('mounts files and folders that are there', () => {
    for (const volume of spillway.volumes ?? []) expect(existsSync(volume.split(':')[0] ?? '')).toBe(true);
    expect(spillway.volumes).toHaveLength(2);
  });

  it('gives a stop longer than the server may take for it', () => {
    const { config } = loadConfig({ env: {} });
    expect(parseDuration(spillway.stop_grace_period ?? '')).toBeGreaterThan(config.drain.deadlineMs);
  });

  it('has a configuration and variables that the server takes', () => {
    const env = {
      ...spillway.environment,
      SPILLWAY_CONFIG: 'deploy/spillway.json',
      SPILLWAY_APP_SECRET: 'mine',
    };
    const settled = Object.fromEntries(
      Object.entries(env).map(([name, value]) => [name, value.startsWith('${') ? 'value' : value]),
    );
    const { config, warnings } = loadConfig({ env: settled });
    expect(config.apps).toMatchObject([{ id: 'value', key: 'value', secret: 'mine' }]);
    expect(config.stages).toEqual(['/stages']);
    expect(warnings.map(({ code }) => code)).not.toContain('config.inactive');
  });
});
