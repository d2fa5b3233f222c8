import type { Config } from '../../config/schema.ts';
import type { ErrorCode } from '../errors/catalogue.ts';
import type { ErrorDetails } from '../errors/spillway-error.ts';
import type { ArchivedEvent, ArchiveQuery, Backlog } from '../outbox/archive.ts';
import type { Readiness } from '../telemetry/health.ts';
import type { MetricsSnapshot } from '../telemetry/metrics.ts';
import type { EndpointStatus } from '../webhooks/schedule.ts';

/** What a primary asks a worker, by kind: what goes with it, and the answer. */
export interface Questions {
  readiness: { readonly given: object; readonly answer: Readiness };
  metrics: { readonly given: object; readonly answer: MetricsSnapshot };
  statuses: { readonly given: object; readonly answer: readonly EndpointStatus[] };
  resume: { readonly given: { readonly appId: string; readonly endpointId: string }; readonly answer: null };
  backlogs: { readonly given: object; readonly answer: readonly Backlog[] };
  list: {
    readonly given: { readonly query: ArchiveQuery; readonly limit: number };
    readonly answer: readonly ArchivedEvent[];
  };
  replay: {
    readonly given: { readonly query: ArchiveQuery; readonly limit: number };
    readonly answer: number;
  };
}

export type QuestionKind = keyof Questions;

export type Question = {
  readonly [Kind in QuestionKind]: { readonly kind: Kind } & Questions[Kind]['given'];
}[QuestionKind];

/** An error on its way from one process to another. */
export interface SentError {
  readonly message: string;
  readonly stack: string | undefined;
  /** Of an error of the catalogue. */
  readonly known?: { readonly code: ErrorCode; readonly details: ErrorDetails };
}

export type ToWorker =
  | {
      readonly kind: 'start';
      readonly config: Config;
      /** The number of its place, from 1; its successor has the same. */
      readonly worker: number;
      /** Log lines for people. */
      readonly isPretty: boolean;
    }
  | { readonly kind: 'stop'; readonly reason: string }
  | { readonly kind: 'question'; readonly id: number; readonly question: Question };

export type FromWorker =
  /** It has loaded, and waits to be told to start. */
  | { readonly kind: 'loaded' }
  | { readonly kind: 'listening'; readonly port: number; readonly nodeId: string }
  /** It cannot start, and ends. */
  | { readonly kind: 'failed'; readonly error: SentError }
  /** It takes no more connections, whoever told it to stop. */
  | { readonly kind: 'leaving' }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly kind: 'no-answer'; readonly id: number; readonly error: SentError }
  /** What it counted until it ended. */
  | { readonly kind: 'last-metrics'; readonly metrics: MetricsSnapshot };
