import type { BenchOptions } from './support/options.ts';
import type { ServerName } from './support/servers.ts';

export type { BenchOptions } from './support/options.ts';
export type { ServerName } from './support/servers.ts';

/** What one run of one server measured, by name; undefined for what could not be measured. Units are in the names. */
export type Figures = Readonly<Record<string, number | undefined>>;

/** A column of the table: a figure, and the peers to whose figure a paired ratio is shown. */
export interface Column {
  readonly figure: string;
  readonly title: string;
  readonly over?: readonly ServerName[];
  /** What is better, where ratios are compared with the baseline; default: less. */
  readonly better?: 'less' | 'more';
}

/**
 * What should come out: a figure of one server, or its ratio to the same figure of another within a round. The median
 * over the rounds is compared.
 */
export interface Goal {
  readonly name: string;
  /** The cases it is asked of; absent: all. */
  readonly cases?: readonly string[];
  readonly figure: string;
  readonly of: ServerName;
  /** Absent: the figure itself is compared. */
  readonly over?: ServerName;
  readonly most?: number;
  readonly least?: number;
  /** What would be better still: printed beside the target, not judged. */
  readonly stretch?: number;
}

/** One question that `npm run bench` answers, in `bench/scenarios/<name>.ts` as the export `scenario`. */
export interface Scenario {
  /** The name of its file. */
  readonly name: string;
  readonly question: string;
  /** `naive` only takes part with the option of that name; a server that cannot start leaves its row empty. */
  readonly servers: readonly ServerName[];
  /** Cases such as `N=1000 w=1`: a ratio is only taken within a case and a round. */
  readonly cases: (options: BenchOptions) => readonly string[];
  /** Starts a fresh server, loads it and stops it. Undefined: that server has no part in this case. */
  readonly run: (server: ServerName, name: string, options: BenchOptions) => Promise<Figures | undefined>;
  readonly columns: readonly Column[];
  readonly targets: readonly Goal[];
}
