import type { JsonSchema } from './json-schema.ts';
import { presets } from './presets.ts';
import { isRawObject, type RawObject } from './raw.ts';
import { allSettings } from './settings.ts';
import { typeText } from './type-text.ts';

/** The part of docs/configuration.md that is made from the schema: every key, and what the presets set. */
export function configurationTable(): string {
  return [...keyTable(), '', '### Presets', '', ...presetTable()].join('\n');
}

function keyTable(): readonly string[] {
  const rows = allSettings().map(({ key, node }) => {
    const takes = node.properties === undefined ? `Takes ${typeText(node)}.` : '';
    return row([code(key), defaultText(node), `${node.description ?? ''} ${takes}`.trim()]);
  });
  return [row(['Key', 'Default', 'Meaning']), row(['---', '---', '---']), ...rows];
}

function presetTable(): readonly string[] {
  const names = Object.keys(presets).filter((name) => name !== 'balanced');
  const values = names.map((name) => new Map(leaves('', presets[name as keyof typeof presets])));
  const keys = allSettings()
    .map(({ key }) => key)
    .filter((key) => values.some((preset) => preset.has(key)));
  const rows = keys.map((key) => row([code(key), ...values.map((preset) => valueCell(preset.get(key)))]));
  return [row(['Key', ...names.map(code)]), row(['---', ...names.map(() => '---')]), ...rows];
}

function leaves(prefix: string, values: RawObject): [string, unknown][] {
  return Object.entries(values).flatMap(([name, value]) =>
    isRawObject(value) ? leaves(`${prefix}${name}.`, value) : [[prefix + name, value]],
  );
}

function valueCell(value: unknown): string {
  return value === undefined ? 'default' : code(JSON.stringify(value));
}

function defaultText(node: JsonSchema): string {
  return node.default === undefined ? '' : code(JSON.stringify(node.default));
}

function code(text: string): string {
  return `\`${text}\``;
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
