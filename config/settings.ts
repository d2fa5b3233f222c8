import { type JsonSchema, settingsTree } from './json-schema.ts';

/** Where a value is: `['apps', 0, 'secret']`. */
export type SettingPath = readonly (string | number)[];

/** One key of the configuration. `key` is its path in words; `[]` stands for any place in a list. */
export interface Setting {
  readonly key: string;
  readonly node: JsonSchema;
}

/** Every setting that has a value of its own, in the order of the schema; groups and lists of groups come first. */
export function allSettings(): readonly Setting[] {
  return settingsBelow('', settingsTree);
}

/** The settings that stand at a fixed path, outside any list: those that the environment and `--set` can name. */
export function plainSettings(): readonly Setting[] {
  return allSettings().filter(({ key, node }) => !key.includes('[]') && !isGroup(node));
}

/** Whether the node only holds further settings. */
function isGroup(node: JsonSchema): boolean {
  return node.properties !== undefined;
}

/** The setting at a path, and whether it or anything around it is a secret. Undefined where no setting can be. */
export function settingAt(
  path: SettingPath,
): { readonly node: JsonSchema; readonly isSecret: boolean } | undefined {
  let node: JsonSchema | undefined = settingsTree;
  let isSecret = false;
  for (const step of path) {
    node = childOf(node, step);
    if (node === undefined) return undefined;
    isSecret ||= node.writeOnly === true;
  }
  return { node, isSecret };
}

/** A path in words: `apps[0].secret`. Names that are not plain words are quoted. */
export function pathText(path: SettingPath): string {
  const text = path.map(stepText).join('');
  return text.startsWith('.') ? text.slice(1) : text;
}

function settingsBelow(prefix: string, node: JsonSchema): Setting[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const key = prefix === '' ? name : `${prefix}.${name}`;
    const inner =
      child.items !== undefined && isGroup(child.items) ? settingsBelow(`${key}[]`, child.items) : [];
    return [{ key, node: child }, ...settingsBelow(key, child), ...inner];
  });
}

function childOf(node: JsonSchema, step: string | number): JsonSchema | undefined {
  if (typeof step === 'number') return node.items;
  if (node.properties !== undefined && Object.hasOwn(node.properties, step)) return node.properties[step];
  return typeof node.additionalProperties === 'object' ? node.additionalProperties : undefined;
}

function stepText(step: string | number): string {
  if (typeof step === 'number') return `[${step}]`;
  return /^[\w$-]{1,80}$/.test(step) ? `.${step}` : `[${JSON.stringify(step.slice(0, 80))}]`;
}
