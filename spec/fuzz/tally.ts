import type { Case } from './cases.ts';

/** Counts by name. */
export class Counts {
  readonly #counts = new Map<string, number>();

  add(name: string | number, by = 1): void {
    this.#counts.set(String(name), (this.#counts.get(String(name)) ?? 0) + by);
  }

  get(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /** The most frequent first. */
  sorted(): readonly (readonly [name: string, count: number])[] {
    return [...this.#counts].sort(([, one], [, other]) => other - one);
  }
}

/** What was sent and what came back. */
export class Tally {
  cases = 0;
  json = 0;
  echoes = 0;
  replaced = 0;
  readonly kinds = new Counts();
  readonly events = new Counts();
  readonly closes = new Counts();
  readonly statuses = new Counts();
  readonly errors = new Counts();
  /** What should not have come back, each with the number of its case; only the first are kept. */
  readonly problems: string[] = [];

  sent({ of, isJson }: Case): void {
    this.cases++;
    this.kinds.add(of);
    if (isJson) this.json++;
  }

  problem(text: string): void {
    if (this.problems.length < 20) this.problems.push(text);
  }

  /** Of all cases, from 0 to 1. */
  share(kind: string): number {
    return this.kinds.get(kind) / this.cases;
  }

  get jsonShare(): number {
    return this.json / this.cases;
  }
}

/** The tally for people. */
export function renderTally(tally: Tally): string {
  const percent = (part: number): string => `${((100 * part) / tally.cases).toFixed(1)} %`;
  const group = (title: string, counts: Counts, share = false): string[] => [
    `${title}:`,
    ...counts.sorted().map(([name, count]) => {
      const figure = `${String(count).padStart(9)}${share ? percent(count).padStart(9) : ''}`;
      return `${figure}  ${name}`;
    }),
  ];
  return [
    `cases ${tally.cases}, parse as JSON ${percent(tally.json)}, echoes of the neighbour ${tally.echoes}, connections replaced ${tally.replaced}`,
    ...group('cases by command and endpoint', tally.kinds, true),
    ...group('frames by event', tally.events),
    ...group('closes by code', tally.closes),
    ...group('HTTP answers by status', tally.statuses),
    ...group('refusals by error code', tally.errors),
  ].join('\n');
}
