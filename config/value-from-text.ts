import type { JsonSchema } from './json-schema.ts';
import { parseJsonc } from './jsonc.ts';

const truths: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['yes', true],
  ['on', true],
  ['false', false],
  ['0', false],
  ['no', false],
  ['off', false],
]);

/** Reads "1", "true", "yes", "on" and their opposites; undefined for anything else. */
export function truthOf(text: string): boolean | undefined {
  return truths.get(text.trim().toLowerCase());
}

/**
 * Reads the text of an environment variable or of `--set` as the type of its setting: numbers, true/false, lists
 * (separated by commas, or JSON) and JSON objects. Text that does not fit is returned as it is: the schema then says
 * what was expected. Throws a JsonSyntaxError where JSON was needed.
 */
export function valueFromText(node: JsonSchema, text: string): unknown {
  switch (node.type) {
    case 'integer':
    case 'number':
      return /^\s*-?\d+(?:\.\d+)?\s*$/.test(text) ? Number(text) : text;
    case 'boolean':
      return truthOf(text) ?? text;
    case 'array':
      return node.items?.type === 'object' || text.trimStart().startsWith('[')
        ? parseJsonc(text)
        : listOf(text);
    case 'object':
      return parseJsonc(text);
    case undefined:
    default:
      return text;
  }
}

/** The parts between commas, without the space around them. */
export function listOf(text: string): readonly string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
