import { EMPTY, isObservable, map, type Observable, type OperatorFunction, tap } from 'rxjs';
import { batchEffect, type BatchReports } from '../flow/batch-effect.ts';
import { behindDoor } from '../flow/behind-door.ts';
import { effect } from '../flow/effect.ts';
import { andThen } from '../flow/maybe-promise.ts';
import { SpillwayError } from '../errors/spillway-error.ts';
import { type BoundStage, type GateExits, noteFailure, noteSuccess, type StageStats } from './bound-stage.ts';
import { ensureItem } from './ensure-item.ts';
import { limitsProblem } from './limits-problem.ts';
import type { BatchStageLimits, EffectStageLimits, StageForm, StreamStageLimits } from './stage.ts';

export interface StreamExits extends GateExits {
  readonly onFailure: (error: unknown, item: unknown, stage: BoundStage) => void;
  readonly onPassedOver: (item: unknown, stage: BoundStage) => void;
  readonly onOverflow: (item: unknown, stage: BoundStage, policy: string) => void;
  readonly onRestart: (error: unknown, stage: BoundStage, attempt: number, lost: number) => void;
}

/** A stage that takes time, as an operator behind its bounded door. */
export function compileStream(stage: BoundStage, exits: StreamExits): OperatorFunction<unknown, unknown> {
  const { form } = stage;
  if (form.effect !== undefined) return effectOperator(stage, form.effect, exits);
  if (form.batchEffect !== undefined) return batchOperator(stage, form.batchEffect);
  if (form.stream !== undefined) return streamOperator(stage, form.stream, exits);
  throw new Error(`stage ${stage.name} is not a stream stage`);
}

export function isStream({ form }: BoundStage): boolean {
  return form.effect !== undefined || form.batchEffect !== undefined || form.stream !== undefined;
}

function effectOperator(
  stage: BoundStage,
  work: NonNullable<StageForm['effect']>,
  exits: StreamExits,
): OperatorFunction<unknown, unknown> {
  const limits = checked(stage, 'effect') as EffectStageLimits;
  const policy = limits.queue.overflow;
  const take = (out: unknown): unknown => {
    const item = ensureItem(stage.name, 'effect', out);
    noteSuccess(stage, exits);
    return item;
  };
  const run = (item: unknown): unknown => {
    if (stage.gate?.admits() === false) {
      stage.stats.dropped++;
      exits.onPassedOver(item, stage);
      return EMPTY;
    }
    stage.stats.received++;
    const answer = work(item, stage.context);
    return isObservable(answer) ? answer.pipe(map(take)) : andThen(answer, take);
  };
  return effect(run, {
    concurrency: limits.concurrency,
    timeoutMs: limits.timeoutMs,
    overflow: { maxQueued: limits.queue.capacity, policy },
    ...(stage.keyOf === undefined ? {} : { key: stage.keyOf }),
    onError: (error, item) => {
      noteFailure(stage, error, exits);
      exits.onFailure(error, item, stage);
    },
    onOverflow: (item) => exits.onOverflow(item, stage, policy),
    onQueue: (queue) => {
      stage.stats.depth = () => queue.size;
    },
  });
}

function batchOperator(
  stage: BoundStage,
  work: NonNullable<StageForm['batchEffect']>,
): OperatorFunction<unknown, unknown> {
  const { queue, reports, ...limits } = limitsOf(stage) as BatchStageLimits<unknown>;
  const { stats, context } = stage;
  const operator = batchEffect(
    (batch) => work(batch, context),
    { ...limits, ...queue, reports: counting(reports, stats) },
    {
      clock: context.clock,
      onQueue: (waiting) => {
        stats.depth = () => waiting.depth;
        stats.oldestAgeMs = () => waiting.oldestAgeMs;
        stats.isBreakerOpen = () => waiting.isBreakerOpen;
      },
    },
  );
  return (items$) =>
    items$.pipe(
      tap(() => stats.received++),
      operator,
    );
}

/** What the stage itself is told goes into its counters too. */
function counting(reports: BatchReports, stats: StageStats): BatchReports {
  return {
    ...reports,
    onInline: (reason, queued) => {
      stats.overflowed++;
      reports.onInline(reason, queued);
    },
    onRetry: (error, items, attempt, pauseMs) => {
      stats.failed += items;
      reports.onRetry(error, items, attempt, pauseMs);
    },
  };
}

function streamOperator(
  stage: BoundStage,
  operator: NonNullable<StageForm['stream']>,
  exits: StreamExits,
): OperatorFunction<unknown, unknown> {
  const limits = checked(stage, 'stream') as StreamStageLimits;
  const through = (items$: Observable<unknown>): Observable<unknown> => {
    const counted$ = items$.pipe(tap(() => stage.stats.received++));
    const out$: unknown = operator(counted$, stage.context);
    if (!isObservable(out$)) {
      const problem = 'stream must answer an Observable: write stream: (items$) => items$.pipe(…)';
      throw new SpillwayError('stage.invalid', { stage: stage.name, problem });
    }
    return out$.pipe(map((out) => ensureItem(stage.name, 'stream', out)));
  };
  return behindDoor(through, {
    capacity: limits.queue.capacity,
    maxHoldMs: limits.maxHoldMs,
    clock: stage.context.clock,
    onOverflow: (item) => exits.onOverflow(item, stage, limits.queue.overflow),
    onRestart: (error, attempt, lost) => {
      stage.stats.failed += lost;
      exits.onRestart(error, stage, attempt, lost);
    },
    onDoor: (door) => {
      stage.stats.depth = () => door.depth;
    },
  });
}

function limitsOf(stage: BoundStage): unknown {
  const { limits } = stage.form;
  return typeof limits === 'function' ? (limits as (context: unknown) => unknown)(stage.context) : limits;
}

/** Limits that are made from the context are seen here first. */
function checked(stage: BoundStage, kind: 'effect' | 'stream'): unknown {
  const limits = limitsOf(stage);
  const problem = limitsProblem(kind, limits);
  if (problem !== undefined) throw new SpillwayError('stage.invalid', { stage: stage.name, problem });
  return limits;
}
