import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { catalogue } from '../../../lib/errors/catalogue.ts';
import { renderErrorsPage } from '../../../lib/errors/errors-page.ts';

const refresh = 'docs/errors.md is out of step with lib/errors/catalogue.ts: run node scripts/write-docs.js';

describe('the errors page', () => {
  test('is in step with the catalogue', () => {
    const committed = readFileSync(join(process.cwd(), 'docs/errors.md'), 'utf8');
    expect(committed === renderErrorsPage() ? 'in step' : refresh).toBe('in step');
  });

  test.each(Object.keys(catalogue))('has one row for %s', (code) => {
    const rows = renderErrorsPage()
      .split('\n')
      .filter((line) => line.startsWith(`| \`${code}\` |`));
    expect(rows).toHaveLength(1);
  });

  test('says what to do in every row', () => {
    const rows = renderErrorsPage()
      .split('\n')
      .filter((line) => line.startsWith('| `'));
    expect(rows).toHaveLength(Object.keys(catalogue).length);
    for (const row of rows) expect(row).toMatch(/ [^|]+\. \|$/);
  });

  test('groups every code under a title made of words', () => {
    const titles = renderErrorsPage().match(/^## .+$/gm) ?? [];
    for (const title of titles) expect(title).toMatch(/: /);
  });
});
