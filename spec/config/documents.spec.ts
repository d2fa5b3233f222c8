import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { configurationTable } from '../../config/configuration-table.ts';
import { configJsonSchema, type JsonSchema } from '../../config/json-schema.ts';
import { allSettings } from '../../config/settings.ts';

/** Keys of a JSON Schema, written as the table writes them. */
function keysOf(node: JsonSchema, prefix = ''): readonly string[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const key = prefix === '' ? name : `${prefix}.${name}`;
    return [key, ...keysOf(child, key), ...keysOf(child.items ?? {}, `${key}[]`)];
  });
}

describe('docs/configuration.md', () => {
  const page = readFileSync('docs/configuration.md', 'utf8');

  it('has the table that the schema makes (npm run build && node scripts/write-docs.js)', () => {
    const [, rest = ''] = page.split('<!-- configuration:begin -->\n');
    const [table] = rest.split('\n<!-- configuration:end -->');
    expect(table).toBe(configurationTable());
  });
});

describe('the table', () => {
  it('has a row with a meaning for every key', () => {
    const rows = configurationTable().split('\n');
    for (const { key, node } of allSettings()) {
      expect(node.description ?? '').not.toBe('');
      expect(rows.some((row) => row.startsWith(`| \`${key}\` |`))).toBe(true);
    }
  });
});

describe('the JSON Schema', () => {
  const schema = configJsonSchema();

  it('has the same keys as the table, and $schema for editors', () => {
    expect(keysOf(schema)).toEqual(['$schema', ...allSettings().map(({ key }) => key)]);
  });

  it('refuses unknown keys and asks for what has no default', () => {
    expect(schema.additionalProperties).toBe(false);
    expect(schema.required).toBeUndefined();
    expect(schema.properties?.['apps']?.items?.required).toEqual(['id', 'key', 'secret']);
    expect(schema.properties?.['server']?.properties?.['port']).toEqual({
      default: 6001,
      description: 'Port to listen on; 0 takes any free one.',
      type: 'integer',
      minimum: 0,
      maximum: 65535,
    });
  });

  it('says nothing in words of our own', () => {
    expect(JSON.stringify(schema)).not.toContain('"expects"');
  });
});
