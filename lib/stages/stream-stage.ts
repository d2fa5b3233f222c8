import type { Observable, OperatorFunction } from 'rxjs';
import { batchEffect } from '../flow/batch-effect.ts';
import { behindDoor } from '../flow/behind-door.ts';
import { effect } from '../flow/effect.ts';
import type { BoundStage } from './bound-stage.ts';
import type { BatchStageLimits, EffectStageLimits, StageForm, StreamStageLimits } from './stage.ts';

export interface StreamExits {
  readonly onFailure: (error: unknown, item: unknown, stage: BoundStage) => void;
  readonly onOverflow: (item: unknown, stage: BoundStage, policy: string) => void;
  readonly onRestart: (error: unknown, stage: BoundStage, attempt: number, lost: number) => void;
}

/** A stage that takes time, as an operator behind its bounded door. */
export function compileStream(stage: BoundStage, exits: StreamExits): OperatorFunction<unknown, unknown> {
  const { form } = stage;
  if (form.effect !== undefined) return effectOperator(stage, form.effect, exits);
  if (form.batchEffect !== undefined) return batchOperator(stage, form.batchEffect, exits);
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
  const limits = limitsOf(stage) as EffectStageLimits;
  const policy = limits.queue.overflow;
  const run = (item: unknown): PromiseLike<unknown> | Observable<unknown> => {
    stage.stats.received++;
    return work(item, stage.context);
  };
  return effect(run, {
    concurrency: limits.concurrency,
    timeoutMs: limits.timeoutMs,
    overflow: { maxQueued: limits.queue.capacity, policy },
    ...(stage.keyOf === undefined ? {} : { key: stage.keyOf }),
    onError: (error, item) => exits.onFailure(error, item, stage),
    onOverflow: (item) => exits.onOverflow(item, stage, policy),
    onQueue: (queue) => {
      stage.stats.depth = () => queue.size;
    },
  });
}

function batchOperator(
  stage: BoundStage,
  work: NonNullable<StageForm['batchEffect']>,
  exits: StreamExits,
): OperatorFunction<unknown, unknown> {
  const limits = limitsOf(stage) as BatchStageLimits<unknown>;
  const run = (batch: readonly unknown[]): unknown => {
    stage.stats.received += batch.length;
    return work(batch, stage.context);
  };
  return batchEffect(run, {
    batch: limits.batch,
    concurrency: limits.concurrency,
    capacity: limits.queue.capacity,
    timeoutMs: limits.timeoutMs,
    clock: stage.context.clock,
    onError: (error, batch) => exits.onFailure(error, batch, stage),
    onInline: (item) => exits.onOverflow(item, stage, limits.queue.overflow),
    onQueue: (queue) => {
      stage.stats.depth = () => queue.depth;
      stage.stats.oldestAgeMs = () => queue.oldestAgeMs;
    },
  });
}

function streamOperator(
  stage: BoundStage,
  operator: NonNullable<StageForm['stream']>,
  exits: StreamExits,
): OperatorFunction<unknown, unknown> {
  const limits = limitsOf(stage) as StreamStageLimits;
  return behindDoor<unknown, unknown>((items$) => operator(items$, stage.context), {
    capacity: limits.queue.capacity,
    maxHoldMs: limits.maxHoldMs,
    clock: stage.context.clock,
    onOverflow: (item) => exits.onOverflow(item, stage, limits.queue.overflow),
    onRestart: (error, attempt, lost) => exits.onRestart(error, stage, attempt, lost),
    onDoor: (door) => {
      stage.stats.depth = () => door.depth;
    },
  });
}

function limitsOf(stage: BoundStage): unknown {
  const { limits } = stage.form;
  return typeof limits === 'function' ? (limits as (context: unknown) => unknown)(stage.context) : limits;
}
