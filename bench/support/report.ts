import { loadavg } from 'node:os';
import { basename } from 'node:path';
import { commit, machine } from './machine.ts';
import { type Spread, spreadOf } from './statistics.ts';

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** What was measured where: figures of two machines, or two hours, say nothing about each other. */
export function sayHeader(question: string): void {
  say(question);
  say(`Node ${process.version}, ${machine()}, ${commit()}`);
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
  readonly most?: number | undefined;
  readonly least?: number | undefined;
  /** What would be better still; not judged. */
  readonly stretch?: number | undefined;
}

/** Met, missed, or not measured: by the median. */
export function verdictOf({ spread, most = Infinity, least = -Infinity }: Target): string {
  if (spread === undefined) return 'not measured';
  return spread.median <= most && spread.median >= least ? 'met' : 'MISSED';
}

/** `at most 0.7 (0.6)`, the stretch in brackets. */
export function boundText({ most, least, stretch }: Target): string {
  const bound = most === undefined ? `at least ${least ?? '?'}` : `at most ${most}`;
  return stretch === undefined ? bound : `${bound} (${stretch})`;
}

/** One line per target: met, missed, or not measured. */
export function sayTargets(targets: readonly Target[]): void {
  for (const target of targets) {
    const { name, spread } = target;
    say(`${verdictOf(target).padEnd(12)} ${name}: ${spreadText(spread)}, target ${boundText(target)}`);
  }
}

/** A table in Markdown with columns of equal width. */
export function sayTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  say(`\n${tableText(head, rows)}\n`);
}

export function tableText(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(...[head, ...rows].map((row) => (row[column] ?? title).length)),
  );
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...rows.map(line)].join(
    '\n',
  );
}
