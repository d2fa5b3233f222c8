// Writes the pages and parts of pages that are made from the code. Needs a build: npm run build && node scripts/write-docs.js
import { readFileSync, writeFileSync } from 'node:fs';
import { configurationTable } from '../dist/config/configuration-table.js';
import { renderErrorsPage } from '../dist/lib/errors/errors-page.js';
import { renderEventsPage } from '../dist/lib/telemetry/events-page.js';

writeFileSync(pageOf('docs/errors.md'), renderErrorsPage());
writeFileSync(pageOf('docs/events.md'), renderEventsPage());
writeBetweenMarks('docs/configuration.md', 'configuration', configurationTable());
writeBetweenMarks('README.md', 'configuration', configurationTable());

function pageOf(name) {
  return new URL(`../${name}`, import.meta.url);
}

/** Replaces what is between `<!-- name:begin -->` and `<!-- name:end -->`; the rest is written by hand. */
function writeBetweenMarks(name, mark, content) {
  const text = readFileSync(pageOf(name), 'utf8');
  const begin = text.indexOf(`<!-- ${mark}:begin -->\n`);
  const end = text.indexOf(`<!-- ${mark}:end -->`);
  if (begin === -1 || end < begin) throw new Error(`${name} needs the marks ${mark}:begin and ${mark}:end`);
  const contentStart = text.indexOf('\n', begin) + 1;
  writeFileSync(pageOf(name), `${text.slice(0, contentStart)}${content}\n${text.slice(end)}`);
}
