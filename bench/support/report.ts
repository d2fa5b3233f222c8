import { spawnSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { basename } from 'node:path';
import { pinning } from './pin.ts';
import { type Spread, spreadOf } from './statistics.ts';

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** What was measured where: figures of two machines, or two hours, say nothing about each other. */
export function sayHeader(question: string): void {
  const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).stdout.trim();
  const isChanged = spawnSync('git', ['status', '--porcelain', 'lib', 'pipelines', 'config'], {
    encoding: 'utf8',
  });
  const tree = isChanged.stdout === '' ? commit : `${commit} with changes`;
  say(question);
  say(`Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? '?'}, ${pinning}, ${tree}`);
  const [load = 0] = loadavg();
  say(
    `${basename(process.argv[1] ?? '')} ${process.argv.slice(2).join(' ')}, load average before it ${load.toFixed(1)}`,
  );
}

export function number(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits);
}

/** `12.3 (11.0–14.1)`; a dash for what was not measured. */
export function spreadText(spread: Spread | undefined): string {
  if (spread === undefined) return '–';
  return `${number(spread.median)} (${number(spread.min)}–${number(spread.max)})`;
}

export function medianText(values: readonly (number | undefined)[]): string {
  return spreadText(spreadOf(values));
}

export interface Target {
  readonly name: string;
  readonly spread: Spread | undefined;
  readonly most: number;
}

/** One line per target: met, missed, or not measured. */
export function sayTargets(targets: readonly Target[]): void {
  for (const { name, spread, most } of targets) {
    const verdict = spread === undefined ? 'not measured' : spread.median <= most ? 'met' : 'MISSED';
    say(`${verdict.padEnd(12)} ${name}: ${spreadText(spread)}, target at most ${most}`);
  }
}

/** A table in Markdown with columns of equal width. */
export function sayTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((title, column) =>
    Math.max(...[head, ...rows].map((row) => (row[column] ?? title).length)),
  );
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  say(`\n${line(head)}`);
  say(`|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`);
  for (const row of rows) say(line(row));
  say('');
}
