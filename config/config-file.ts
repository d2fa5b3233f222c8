import { readFileSync } from 'node:fs';
import { JsonSyntaxError, parseJsonc } from './jsonc.ts';
import { isRawObject, type RawObject } from './raw.ts';

/** What a configuration file says, or why it could not be read. */
export interface ConfigFile {
  readonly values: RawObject;
  readonly problems: readonly string[];
}

/** Reads a configuration file: JSON, with comments if you like. `$schema` is for editors and is left out. */
export function readConfigFile(path: string): ConfigFile {
  const text = textOf(path);
  if (typeof text !== 'string') return { values: {}, problems: [`${path}: cannot be read: ${text.problem}`] };
  try {
    const parsed = parseJsonc(text);
    if (!isRawObject(parsed)) return { values: {}, problems: [`${path}: expected an object with settings`] };
    return {
      values: Object.fromEntries(Object.entries(parsed).filter(([key]) => key !== '$schema')),
      problems: [],
    };
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    return {
      values: {},
      problems: [`${path}:${error.line}:${error.column}: malformed JSON: ${error.message}`],
    };
  }
}

function textOf(path: string): string | { problem: string } {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return { problem: code === 'ENOENT' ? 'no such file' : (code ?? String(error)) };
  }
}
