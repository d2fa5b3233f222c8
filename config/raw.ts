import type { SettingPath } from './settings.ts';

/** Values as they were given, before the schema looked at them. */
export type RawObject = Readonly<Record<string, unknown>>;

/** Values from one source. `sourceOf` names where the value at a path came from, for messages. */
export interface Layer {
  readonly values: RawObject;
  sourceOf(path: SettingPath): string;
  /** Set when the layer describes one app in short form; names the variable that does. */
  readonly singleApp?: string;
}

/** Whether a value is an object with names, not a list. */
export function isRawObject(value: unknown): value is RawObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Puts values on top of others: objects are merged, everything else (lists too) is replaced. */
export function merge(below: RawObject, above: RawObject): RawObject {
  const merged = new Map(Object.entries(below));
  for (const [name, value] of Object.entries(above)) {
    if (value === undefined) continue;
    const under = merged.get(name);
    merged.set(name, isRawObject(under) && isRawObject(value) ? merge(under, value) : value);
  }
  return Object.fromEntries(merged);
}

/** The value at a path; undefined when there is none. */
export function valueAt(value: unknown, path: SettingPath): unknown {
  let current = value;
  for (const step of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, step)) return undefined;
    current = (current as Record<string | number, unknown>)[step];
  }
  return current;
}

/** An object that holds one value at a path of names. */
export function objectWith(path: readonly string[], value: unknown): RawObject {
  return path.reduceRight<unknown>((inner, name) => Object.fromEntries([[name, inner]]), value) as RawObject;
}

/** Names the source of the value at a path: the topmost layer that has it, or that has what it is part of. */
export function sourceOf(layers: readonly Layer[], path: SettingPath): string | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const part = path.slice(0, length);
    const layer = layers.findLast(({ values }) => valueAt(values, part) !== undefined);
    if (layer !== undefined) return layer.sourceOf(part);
  }
  return undefined;
}
