import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConfigSources, type LoadedConfig, loadConfig } from '../../config/load.ts';
import { configProblems } from '../../config/problems.ts';
import { SpillwayError } from '../../lib/errors/spillway-error.ts';

/** A folder for the configuration files of one spec file. */
export class ConfigFiles {
  readonly #folder = mkdtempSync(join(tmpdir(), 'spillway-config-'));
  #count = 0;

  /** Writes a file and returns its path. Objects are written as JSON. */
  write(content: string | object): string {
    this.#count += 1;
    const path = join(this.#folder, `config-${this.#count}.json`);
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
    return path;
  }

  /** The path of a file that does not exist. */
  missing(): string {
    return join(this.#folder, 'missing.json');
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}

/** Loads settings given in the shape of the file. */
export function load(overrides: ConfigSources['overrides'] = {}, env: NodeJS.ProcessEnv = {}): LoadedConfig {
  return loadConfig({ env, overrides });
}

/** The mistakes that loading reports; none when it succeeds. */
export function problemsOf(sources: Partial<ConfigSources>): readonly string[] {
  try {
    loadConfig({ env: {}, ...sources });
    return [];
  } catch (error) {
    if (error instanceof SpillwayError && error.code === 'config.invalid') return configProblems(error);
    throw error;
  }
}

/** An app with a secret of its own. */
export const ownApp = { id: 'shop', key: 'shop-key', secret: 'shop-secret' };
