import { Counter, type Registry } from 'prom-client';

type Fields = Readonly<Record<string, unknown>>;

interface Cell {
  readonly labels: Record<string, string>;
  /** What was counted since the metric was read last. */
  count: number;
}

/**
 * A counter for what happens thousands of times a second: it is counted here, and the metric gets it when somebody reads it.
 * Labels have few values, as with every metric.
 */
export class Tally {
  readonly #labels: readonly string[];
  readonly #cells = new Map<string, Cell>();

  /** Without labels the metric reads 0 from the start. */
  constructor(
    registry: Registry,
    { name, help, labels }: { name: string; help: string; labels: readonly string[] },
  ) {
    this.#labels = labels;
    const cells = this.#cells;
    new Counter({
      ...{ name, help, labelNames: labels, registers: [registry] },
      collect() {
        for (const cell of cells.values()) {
          this.inc(cell.labels, cell.count);
          cell.count = 0;
        }
      },
    });
  }

  /**
   * @param fields Hold the labels, among others. @param count Default: 1.
   * @throws RangeError for what no counter can count.
   */
  add(fields: Fields, count = 1): void {
    if (!(count >= 0 && count < Number.POSITIVE_INFINITY)) throw new RangeError(`${count} cannot be counted`);
    const key = this.#keyOf(fields);
    const cell = this.#cells.get(key);
    if (cell === undefined) this.#cells.set(key, { labels: labelsOf(this.#labels, fields), count });
    else cell.count += count;
  }

  #keyOf(fields: Fields): string {
    const [only] = this.#labels;
    if (only === undefined) return '';
    if (this.#labels.length === 1) return String(fields[only]);
    return this.#labels.map((label) => String(fields[label])).join('\n');
  }
}

export function labelsOf(labels: readonly string[], fields: Fields): Record<string, string> {
  return Object.fromEntries(labels.map((label) => [label, String(fields[label])]));
}
