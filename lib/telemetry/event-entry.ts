import type { ErrorCode } from '../errors/catalogue.ts';

/** How loud an event is: debug = per message, info = lifecycle and per batch, warn = overflow, error = a failed item, fatal = the process ends. */
export type EventLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/**
 * What a field holds. A trailing `?` makes it optional; a list of words allows exactly these words.
 * `code` is a code of the error catalogue, `strings` a list, `error` whatever was thrown.
 */
export type FieldKind = ScalarKind | `${ScalarKind}?` | readonly string[];

/** Counted when the event happens. Labels name fields with few values: never a channel, a user, or what a client sent. */
interface CounterMetric {
  readonly kind: 'counter';
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  /** The field that says by how much; absent means by one. */
  readonly by?: string;
}

/** The distribution of one field: a duration, given in milliseconds and shown in seconds, or with `buckets` a count. */
interface HistogramMetric {
  readonly kind: 'histogram';
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  readonly of: string;
  readonly buckets?: readonly number[];
}

export type EventMetric = CounterMetric | HistogramMetric;

/** One row of the event catalogue: `doc` is one sentence that says when the event happens. */
export interface EventEntry {
  /** `of-error`: that of the kind of the error its `code` names (`errorKinds`). */
  readonly level: EventLevel | 'of-error';
  readonly doc: string;
  readonly fields: Readonly<Record<string, FieldKind>>;
  /** Strangers can cause it as often as they like: at most 200 lines a second are written, the rest is counted. */
  readonly limited?: true;
  readonly metrics?: readonly EventMetric[];
}

interface ScalarTypes {
  string: string;
  number: number;
  boolean: boolean;
  strings: readonly string[];
  code: ErrorCode;
  error: unknown;
}
type ScalarKind = keyof ScalarTypes;

type TypeOf<Kind> = Kind extends readonly (infer Word)[]
  ? Word
  : Kind extends `${infer Base extends ScalarKind}?`
    ? ScalarTypes[Base] | undefined
    : Kind extends ScalarKind
      ? ScalarTypes[Kind]
      : never;

type OptionalNames<Fields> = {
  [Name in keyof Fields]: Fields[Name] extends `${string}?` ? Name : never;
}[keyof Fields];

/** The type of an event's fields, from their kinds. */
export type FieldsOf<Fields> = Readonly<
  { -readonly [Name in Exclude<keyof Fields, OptionalNames<Fields>>]: TypeOf<Fields[Name]> } & {
    -readonly [Name in OptionalNames<Fields>]?: TypeOf<Fields[Name]>;
  }
>;
