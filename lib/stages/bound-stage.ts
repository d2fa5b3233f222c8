import { errorKinds } from '../errors/kinds.ts';
import { SpillwayError } from '../errors/spillway-error.ts';
import type { FailureGate } from '../flow/failure-gate.ts';
import type { StageContext, StageForm } from './stage.ts';

/** What a stage did, for gauges and counters. */
export class StageStats {
  readonly pipeline: string;
  readonly stage: string;
  received = 0;
  passed = 0;
  dropped = 0;
  failed = 0;
  overflowed = 0;
  restarted = 0;
  /** Latency, sampled: how often, the sum and the longest, in milliseconds. */
  samples = 0;
  sampledMs = 0;
  longestMs = 0;
  /** What the stage itself counts, by its own names. */
  readonly custom = new Map<string, number>();
  /** Items in the stage's queue and the age of the oldest; 0 for stages without one. */
  depth: () => number = () => 0;
  oldestAgeMs: () => number = () => 0;
  /** Whether a breaker passes the stage or its queue over; false for stages without one. */
  isBreakerOpen: () => boolean = () => false;

  constructor(pipeline: string, stage: string) {
    this.pipeline = pipeline;
    this.stage = stage;
  }
}

/** A stage in its place: with its context, its counters and, for stages of users, its breaker. */
export interface BoundStage {
  readonly name: string;
  readonly form: StageForm;
  readonly context: StageContext;
  readonly stats: StageStats;
  readonly gate: FailureGate | undefined;
  /** Stages of users: how long an answer may take. */
  readonly timeoutMs: number | undefined;
  readonly keyOf: ((item: unknown) => unknown) | undefined;
}

export interface GateExits {
  readonly onTripped: (stage: BoundStage) => void;
  readonly onRecovered: (stage: BoundStage) => void;
}

/** Counts a success. One behind an open breaker closes it. */
export function noteSuccess(stage: BoundStage, exits: GateExits): void {
  if (stage.gate?.succeeded() === true) exits.onRecovered(stage);
}

/** Counts a failure. What a client did wrong does not trip the stage that says so. */
export function noteFailure(stage: BoundStage, error: unknown, exits: GateExits): void {
  stage.stats.failed++;
  const isOwnFault = !(error instanceof SpillwayError) || errorKinds[error.entry.kind].trips;
  if (isOwnFault && stage.gate?.failed() === true) exits.onTripped(stage);
}
