import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Mutation } from './mutations.ts';

export interface Outcome {
  readonly passed: number;
  /** The first case that failed; the run ends there. */
  readonly failed?: string;
  /** A spec file did not run at all: a mutation that does not even compile shows nothing. */
  readonly broken?: string;
}

const copied = [
  'bin',
  'config',
  'lib',
  'pipelines',
  'spec',
  'package.json',
  'jest.config.js',
  'tsconfig.json',
];
const linked = ['node_modules', 'dist', 'docs'];

/** A copy of the sources in which one mutation at a time is made and the specs are run. */
export class Checkout {
  readonly #folder = mkdtempSync(join(tmpdir(), 'spillway-mutation-'));

  constructor() {
    for (const name of copied) cpSync(name, join(this.#folder, name), { recursive: true });
    for (const name of linked) symlinkSync(resolve(name), join(this.#folder, name));
  }

  /** The specs against the sources as they are. */
  unchanged(specs: readonly string[]): Promise<Outcome> {
    return this.#run(specs);
  }

  async mutated({ file, find, replace, specs }: Mutation): Promise<Outcome> {
    const path = join(this.#folder, file);
    const original = readFileSync(path, 'utf8');
    writeFileSync(
      path,
      original.replace(find, () => replace),
    );
    try {
      return await this.#run(specs);
    } finally {
      writeFileSync(path, original);
    }
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #run(specs: readonly string[]): Promise<Outcome> {
    const report = join(this.#folder, 'report.json');
    rmSync(report, { force: true });
    const jest = resolve('node_modules/jest/bin/jest.js');
    const reporter = `--reporters=${resolve('spec/mutations/first-failure.cjs')}`;
    const options = [reporter, `--cacheDirectory=${join(this.#folder, '.cache')}`, '--testTimeout=8000'];
    const child = spawn(
      process.execPath,
      [jest, ...specs, '--selectProjects', 'integration', '--runInBand', '--silent', ...options],
      {
        cwd: this.#folder,
        env: {
          PATH: process.env['PATH'] ?? '',
          SPILLWAY_SPEC_STORES: 'prompt',
          SPILLWAY_MUTATION_REPORT: report,
        },
        stdio: 'ignore',
      },
    );
    await new Promise((done) => child.once('exit', done));
    return JSON.parse(readFileSync(report, 'utf8')) as Outcome;
  }
}

/** How often the text of a mutation stands in its file. */
export function occurrences({ file, find }: Mutation): number {
  return readFileSync(file, 'utf8').split(find).length - 1;
}
