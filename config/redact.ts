import { type SettingPath, settingAt } from './settings.ts';

/** What stands in place of a secret. */
const redacted = '[redacted]';

/** A copy of a configuration in which no secret can be read; for people and logs. */
export function redact(value: unknown, path: SettingPath = []): unknown {
  if (value === undefined) return undefined;
  if (settingAt(path)?.isSecret === true) return redacted;
  if (Array.isArray(value)) return value.map((item, index) => redact(item, [...path, index]));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, redact(inner, [...path, name])]),
  );
}
