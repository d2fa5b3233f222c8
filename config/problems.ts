import type { z } from 'zod';
import { SpillwayError } from '../lib/errors/spillway-error.ts';
import { nearest } from './did-you-mean.ts';
import type { JsonSchema } from './json-schema.ts';
import { valueAt } from './raw.ts';
import { allSettings, pathText, type SettingPath, settingAt } from './settings.ts';
import { typeText } from './type-text.ts';

/** One mistake: where it is and what is wrong. An empty path is the whole configuration. */
export interface Problem {
  readonly path: SettingPath;
  readonly text: string;
}

/** The error that ends a start: every mistake at once, one per line. */
export function invalidConfig(problems: readonly string[]): SpillwayError {
  return new SpillwayError('config.invalid', { problems: [...new Set(problems)].join('\n') });
}

/** The mistakes that a `config.invalid` error lists. */
export function configProblems(error: SpillwayError): readonly string[] {
  return String(error.details['problems'] ?? error.message).split('\n');
}

/** Turns what the schema found into words: what was expected and what was given, never a secret. */
export function problemsOf(error: z.ZodError, raw: unknown): readonly Problem[] {
  return error.issues.flatMap((issue) => {
    const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
    return issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => unknownKey(path, key))
      : [wrongValue(path, raw)];
  });
}

function wrongValue(path: SettingPath, raw: unknown): Problem {
  const setting = settingAt(path);
  const expected = setting === undefined ? 'a setting' : typeText(setting.node);
  const mayShow = setting !== undefined && !setting.isSecret && holdsNoSecret(setting.node);
  return { path, text: `expected ${expected}, got ${valueText(valueAt(raw, path), mayShow)}` };
}

function unknownKey(parent: SettingPath, key: string): Problem {
  const suggestion = suggestionFor(parent, key);
  return {
    path: [...parent, key],
    text: `unknown key${suggestion === undefined ? '' : `, did you mean ${suggestion}?`}`,
  };
}

/** A near or longer name in the same group, or the place elsewhere where the very same name is right. */
function suggestionFor(parent: SettingPath, key: string): string | undefined {
  const siblings = Object.keys(settingAt(parent)?.node.properties ?? {});
  const sibling = nearest(key, siblings) ?? siblings.find((name) => key.length > 2 && name.startsWith(key));
  if (sibling !== undefined) return pathText([...parent, sibling]);
  const ending = `.${key.toLowerCase()}`;
  return allSettings().find((setting) => setting.key.toLowerCase().endsWith(ending))?.key;
}

/** A text given where a list of apps belongs may hold their secrets, so only plain values are shown. */
function holdsNoSecret(node: JsonSchema): boolean {
  return node.type !== 'object' && node.items?.type !== 'object';
}

function valueText(value: unknown, mayShow: boolean): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  if (!mayShow) return value === '' ? 'an empty string' : `a ${typeof value}`;
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60));
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : `a ${typeof value}`;
}
