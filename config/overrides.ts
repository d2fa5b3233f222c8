import { JsonSyntaxError } from './jsonc.ts';
import { merge, objectWith, type RawObject } from './raw.ts';
import { settingAt } from './settings.ts';
import { valueFromText } from './value-from-text.ts';

/** A setting given on the command line: `server.port` and `7000`. */
export interface Assignment {
  readonly key: string;
  readonly text: string;
}

/** Turns settings from the command line into the shape of the file. Later ones win; wrong ones are left to the schema. */
export function overridesFrom(assignments: readonly Assignment[]): RawObject {
  return assignments.reduce<RawObject>((values, { key, text }) => {
    const path = key.split('.');
    return merge(values, objectWith(path, readValue(path, text)));
  }, {});
}

function readValue(path: readonly string[], text: string): unknown {
  try {
    return valueFromText(settingAt(path)?.node ?? {}, text);
  } catch (error) {
    if (error instanceof JsonSyntaxError) return text;
    throw error;
  }
}
