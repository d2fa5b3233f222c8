import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { scriptNames } from '../../lib/redis/script-names.ts';

const page = readFileSync('docs/cluster.md', 'utf8');
const folder = 'lib/redis/scripts';
const scripts = readdirSync(folder)
  .filter((name) => name.endsWith('.lua'))
  .map((name) => readFileSync(`${folder}/${name}`, 'utf8'));

/** The first cells of the table whose header begins with this word, without backquotes. */
function firstCells(header: string): readonly string[] {
  const table = page.split('\n\n').find((block) => block.startsWith(`| ${header} |`)) ?? '';
  return [...table.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1] ?? '');
}

/** `:ic:<holder>` is `:ic:`. */
const kindOf = (key: string): string => /^:[a-z]+:?/.exec(key)?.[0] ?? key;

describe('docs/cluster.md', () => {
  it('has a row for each kind of key that scripts name, and for no other', () => {
    // What nodes say to each other is published, not kept.
    const named = scripts
      .flatMap((text) => [...text.matchAll(/'(:[a-z]+:?)'/g)].map((match) => match[1] ?? ''))
      .filter((kind) => kind !== ':t:');
    expect([...new Set(firstCells('key').map(kindOf))].sort()).toEqual([...new Set(named)].sort());
  });

  it('has a line for each script', () => {
    expect([...firstCells('script')].sort()).toEqual([...scriptNames].sort());
  });
});
