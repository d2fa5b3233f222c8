import { defer, filter, type Observable, type OperatorFunction, tap } from 'rxjs';
import { errorKinds } from '../errors/kinds.ts';
import { SpillwayError, toSpillwayError } from '../errors/spillway-error.ts';
import { FailureGate } from '../flow/failure-gate.ts';
import { WorkTimeout } from '../flow/isolate.ts';
import type { Lanes } from '../flow/lanes.ts';
import { perform } from '../flow/perform.ts';
import { supervise } from '../flow/supervise.ts';
import { type BoundStage, StageStats } from './bound-stage.ts';
import type { SlotStage } from './define-stage.ts';
import type { Pipeline, Step } from './pipeline.ts';
import { compileSegment, type Segment, type SegmentExits } from './segment.ts';
import type { ServiceName, Services } from './services.ts';
import { keyOfSlot, type SlotName, viewOfSlot } from './slots.ts';
import { throughView } from './slot-view.ts';
import { DROP, type Stage, type StageContext, type StageForm } from './stage.ts';
import { createContext } from './stage-context.ts';
import { compileStream, isStream, type StreamExits } from './stream-stage.ts';

/** Failures in a row that trip a user's stage, and how long it is passed over then. */
const tripAfter = 10;
const tripResetMs = 30_000;
/** The longest a user's sync stage may keep an item with a promise. */
const userStageTimeoutMs = 5_000;

export interface RunOptions {
  /** Stages of users, in the order they were configured. */
  readonly stages?: readonly SlotStage[];
  readonly signal: AbortSignal;
}

export interface RunningPipeline {
  readonly name: string;
  readonly stats: readonly StageStats[];
  /** False from an error that escaped every stage until the stream runs again. */
  readonly isUp: () => boolean;
  /** Fulfilled when the source has completed and everything that was under way is done. */
  readonly completed: Promise<void>;
}

/** A piece of a pipeline: sync stages with or without an order among them, or one stage that takes time. */
type Piece =
  | { readonly kind: 'sync'; readonly order: OrderStep | undefined; readonly stages: BoundStage[] }
  | { readonly kind: 'stream'; readonly stage: BoundStage };
type OrderStep = Extract<Step, { kind: 'in-order' }>;

/** Runs a pipeline over a source: the one place, besides the composition root, that subscribes. */
export function runPipeline<In, N extends ServiceName>(
  pipeline: Pipeline<In, N>,
  source$: Observable<In>,
  services: Services,
  options: RunOptions,
): RunningPipeline {
  const exits = createExits(pipeline, services);
  const pieces = cut(pipeline, services, options);
  const operators = pieces.map((piece) => operatorOf(piece, services, exits));
  const stats = pieces
    .flatMap((piece) => (piece.kind === 'sync' ? piece.stages : [piece.stage]))
    .map((s) => s.stats);
  const stream$ = operators.reduce<Observable<unknown>>((items$, operator) => items$.pipe(operator), source$);
  let isUp = false;
  const supervised$ = defer(() => {
    isUp = true;
    return stream$;
  }).pipe(
    supervise({
      onRestart: (error, attempt) => {
        isUp = false;
        exits.onEscaped(error, attempt);
      },
    }),
  );
  const completed = new Promise<void>((resolve) => {
    supervised$.subscribe({ complete: resolve });
  });
  return { name: pipeline.name, stats, isUp: () => isUp, completed };
}

/** Cuts the list of steps into pieces: a new one begins at every stream stage and wherever an order is asked for. */
function cut<In, N extends ServiceName>(
  pipeline: Pipeline<In, N>,
  services: Services,
  options: RunOptions,
): Piece[] {
  const pieces: Piece[] = [];
  let order: OrderStep | undefined;
  const add = (stage: BoundStage): void => {
    if (isStream(stage)) {
      pieces.push({ kind: 'stream', stage });
      return;
    }
    const last = pieces.at(-1);
    if (last?.kind === 'sync' && last.order === order) last.stages.push(stage);
    else pieces.push({ kind: 'sync', order, stages: [stage] });
  };
  for (const step of pipeline.steps) {
    if (step.kind === 'in-order') order = step;
    else for (const stage of bind(step, pipeline.name, services, options)) add(stage);
  }
  return pieces;
}

function bind(
  step: Exclude<Step, OrderStep>,
  pipeline: string,
  services: Services,
  options: RunOptions,
): readonly BoundStage[] {
  if (step.kind === 'stage') return [bindStage(step.stage, pipeline, services, options, undefined)];
  const stages = (options.stages ?? []).filter((stage) => stage.slot === step.slot);
  return stages.map((stage) => bindStage(stage, pipeline, services, options, step.slot));
}

function bindStage(
  stage: Stage<never, unknown, ServiceName>,
  pipeline: string,
  services: Services,
  options: RunOptions,
  slot: SlotName | undefined,
): BoundStage {
  const isUsers = slot !== undefined;
  const stats = new StageStats(pipeline, stage.name);
  const gate = isUsers
    ? new FailureGate({ threshold: tripAfter, resetMs: tripResetMs, clock: services.clock })
    : undefined;
  if (gate !== undefined) stats.isBreakerOpen = () => gate.isOpen;
  return {
    name: stage.name,
    form: slot === undefined ? stage.form : formIn(slot, stage),
    context: contextFor(stage.needs, stats, services, options.signal),
    stats,
    gate,
    timeoutMs: isUsers ? userStageTimeoutMs : undefined,
    keyOf: isUsers ? (keyOfSlot[slot] as (item: unknown) => unknown) : undefined,
  };
}

/** Where stages are shown a part of what flows, a form on that part is made one on the whole. */
function formIn(slot: SlotName, { form, name }: Pick<SlotStage, 'form' | 'name'>): StageForm {
  return slot in viewOfSlot ? throughView(form, name, viewOfSlot[slot as keyof typeof viewOfSlot]) : form;
}

function contextFor(
  needs: readonly ServiceName[],
  stats: StageStats,
  services: Services,
  signal: AbortSignal,
): StageContext {
  const granted = Object.fromEntries(needs.map((need) => [need, services[need]]));
  return { ...createContext(stats, services, signal), ...granted };
}

function operatorOf(piece: Piece, services: Services, exits: Exits): OperatorFunction<unknown, unknown> {
  if (piece.kind === 'sync') return syncOperator(compileSegment(piece.stages, exits), piece.order, services);
  const { stage } = piece;
  const operator = compileStream(stage, exits);
  return (items$) =>
    items$.pipe(
      operator,
      filter((out) => {
        if (out === DROP) stage.stats.dropped++;
        return out !== DROP;
      }),
      tap(() => stage.stats.passed++),
    );
}

function syncOperator(
  segment: Segment,
  order: OrderStep | undefined,
  services: Services,
): OperatorFunction<unknown, unknown> {
  if (order === undefined) return perform(segment);
  const lanes = services[order.lanes] as Lanes<unknown>;
  return perform(segment, { lanes, by: order.by as (item: unknown) => unknown });
}

type Exits = SegmentExits &
  StreamExits & {
    /** An error that no stage accounts for ended the stream; it starts again after a pause. */
    readonly onEscaped: (error: unknown, attempt: number) => void;
  };

/** What happens to items that do not make it, and what the operator hears of it. */
function createExits<In, N extends ServiceName>(pipeline: Pipeline<In, N>, services: Services): Exits {
  const { exit } = pipeline;
  const { telemetry } = services;
  const stats = new StageStats(pipeline.name, `${pipeline.name}.refused`);
  const context = contextFor(exit.needs, stats, services, new AbortController().signal);
  const answer = exit.answer as (error: SpillwayError, item: unknown, context: unknown) => void;

  const report = (error: SpillwayError, stage: BoundStage): void => {
    if (!errorKinds[error.entry.kind].isStageFailure) return;
    telemetry.emit('stage.failed', {
      stage: stage.name,
      pipeline: pipeline.name,
      code: error.code,
      err: error,
    });
  };
  const refuse = (error: SpillwayError, item: unknown, stage: BoundStage): void => {
    try {
      answer(error, item, context);
    } catch (thrown) {
      report(toSpillwayError(thrown, 'stage.failed', { stage: `${pipeline.name}.refused` }), stage);
    }
  };
  return {
    onFailure: (thrown, item, stage) => {
      const error = toStageError(thrown, stage);
      report(error, stage);
      if (item !== undefined) refuse(error, item, stage);
    },
    onPassedOver: (item, stage) =>
      refuse(new SpillwayError('stage.failed', { stage: stage.name }), item, stage),
    onOverflow: (item, stage, policy) => {
      stage.stats.overflowed++;
      telemetry.emit('stage.overflow', { stage: stage.name, policy, dropped: 1 });
      if (policy === 'reject') refuse(new SpillwayError('http.overloaded'), item, stage);
    },
    onRestart: (thrown, stage, attempt, lost) => {
      stage.stats.restarted++;
      report(toStageError(thrown, stage), stage);
      telemetry.emit('stage.restarted', { stage: stage.name, attempt, lost });
    },
    onEscaped: (thrown, attempt) => {
      const err = toSpillwayError(thrown, 'stage.failed', { stage: pipeline.name });
      telemetry.emit('stage.failed', { stage: pipeline.name, pipeline: pipeline.name, code: err.code, err });
      telemetry.emit('stage.restarted', { stage: pipeline.name, attempt, lost: 0 });
    },
    onTripped: (stage) => telemetry.emit('stage.tripped', { stage: stage.name }),
    onRecovered: (stage) => telemetry.emit('stage.recovered', { stage: stage.name }),
  };
}

function toStageError(thrown: unknown, stage: BoundStage): SpillwayError {
  if (thrown instanceof WorkTimeout)
    return new SpillwayError('stage.timeout', { stage: stage.name, timeoutMs: thrown.timeoutMs });
  return toSpillwayError(thrown, 'stage.failed', { stage: stage.name });
}
