import type { Observable } from 'rxjs';
import type { BatchEffectLimits } from '../flow/batch-effect.ts';
import type { Clock } from '../flow/clock.ts';
import type { Batch } from '../flow/fair-batches.ts';
import type { MaybePromise } from '../flow/maybe-promise.ts';
import type { ServiceName, Services } from './services.ts';

/** What a stage answers to take an item out of the pipeline. */
export const DROP: unique symbol = Symbol.for('spillway.drop');
export type Drop = typeof DROP;

/** What every stage is given. */
export interface StageContext {
  /** The stage's own name. */
  readonly stage: string;
  /** Lines in the log stream, `stage.log`, under the stage's name. */
  readonly log: StageLog;
  readonly clock: Clock;
  /** Aborted when the server stops. */
  readonly signal: AbortSignal;
  /** Counters in `/metrics`, `spillway_stage_custom_total{stage,name}`. At most 20 names a stage. */
  readonly metrics: { count(name: string, by?: number): void };
  /** Publishes an event to a channel of an app. It does not pass the slots again. */
  readonly publish: (event: StagePublish) => void;
  /** What may be known of an app: never its secrets. */
  readonly app: (appId: string) => { readonly id: string; readonly name: string | undefined } | undefined;
}

export interface StageLog {
  info(message: string, detail?: string): void;
  warn(message: string, detail?: string): void;
}

export interface StagePublish {
  readonly appId: string;
  readonly channel: string;
  readonly event: string;
  readonly data: string;
  readonly exceptSocketId?: string;
}

export type ContextWith<N extends readonly ServiceName[]> = StageContext & Pick<Services, N[number]>;

/** What may wait before a stage, and what happens beyond it. No stage has a default: the author chooses. */
export interface QueueLimits {
  readonly capacity: number;
  readonly overflow: 'drop-newest' | 'drop-oldest' | 'reject';
}

export interface EffectStageLimits {
  /** Items in work at once. */
  readonly concurrency: number;
  /** The longest one item may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly queue: QueueLimits;
}

export interface BatchStageLimits<In> extends Omit<BatchEffectLimits<In>, 'capacity' | 'breaker'> {
  /** An item that finds the queue full is worked on alone, at once. */
  readonly queue: Pick<BatchEffectLimits<In>, 'capacity' | 'breaker'> & { readonly overflow: 'inline' };
}

export interface StreamStageLimits {
  readonly queue: { readonly capacity: number; readonly overflow: 'drop-newest' | 'reject' };
  /** An item that has not come out after this long counts as dropped by the stage. */
  readonly maxHoldMs: number;
}

/** Sync: one item in, one out. A promise makes the items of the same key wait, in order. */
export interface MapForm<In, Out, C> {
  readonly map: (item: In, context: C) => MaybePromise<Out | Drop>;
}
/** Sync: passes an item on or drops it. */
export interface FilterForm<In, C> {
  readonly filter: (item: In, context: C) => MaybePromise<boolean>;
}
/** Sync: looks on. What it throws is counted and the item goes on. A promise holds the item until it is there. */
export interface TapForm<In, C> {
  readonly tap: (item: In, context: C) => MaybePromise<unknown>;
}
/** Sync: one item in, any number out. */
export interface SplitForm<In, Out, C> {
  readonly split: (item: In, context: C) => readonly Out[];
}
/** Stream: asynchronous work on each item, several at once, in order per key. */
export interface EffectForm<In, Out, C> {
  readonly effect: (item: In, context: C) => PromiseLike<Out | Drop> | Observable<Out>;
  readonly limits: EffectStageLimits | ((context: C) => EffectStageLimits);
}
/** Stream: work on batches that close by size or time. */
export interface BatchForm<In, Out, C> {
  readonly batchEffect: (batch: Batch<In>, context: C) => MaybePromise<Out>;
  readonly limits: BatchStageLimits<In> | ((context: C) => BatchStageLimits<In>);
}
/** Stream: any RxJS operator. */
export interface StreamForm<In, Out, C> {
  readonly stream: (items$: Observable<In>, context: C) => Observable<Out>;
  readonly limits: StreamStageLimits | ((context: C) => StreamStageLimits);
}

/** Why a `connect:*` stage turns a connection away: the client sees the reason and the close code. */
export interface Refusal {
  /** 4000-4099 stops stock clients, 4100-4199 makes them come back after a second, 4200-4299 at once. */
  readonly closeCode: number;
  readonly reason: string;
}
/** Sync, `connect:*` only: lets a connection in or refuses it. */
export interface GuardForm<In, C> {
  readonly guard: (item: In, context: C) => MaybePromise<true | Refusal>;
}

/** Exactly one of the forms: the properties of the others are forbidden beside it. */
type FormKey = 'map' | 'filter' | 'tap' | 'split' | 'effect' | 'batchEffect' | 'stream' | 'guard';
export type Only<Form> = Form & { readonly [K in Exclude<FormKey, keyof Form>]?: never };

/** Any form a built-in stage may have. */
export type AnyForm<In, Out, C> =
  | Only<MapForm<In, Out, C>>
  | Only<FilterForm<In, C>>
  | Only<TapForm<In, C>>
  | Only<SplitForm<In, Out, C>>
  | Only<EffectForm<In, Out, C>>
  | Only<BatchForm<In, Out, C>>
  | Only<StreamForm<In, Out, C>>
  | Only<GuardForm<In, C>>;

/** The functions of a stage's form with their types erased: `defineStage` and the pipeline builder checked them. */
export interface StageForm {
  readonly map?: (item: unknown, context: unknown) => unknown;
  readonly filter?: (item: unknown, context: unknown) => unknown;
  readonly tap?: (item: unknown, context: unknown) => unknown;
  readonly split?: (item: unknown, context: unknown) => readonly unknown[];
  readonly guard?: (item: unknown, context: unknown) => unknown;
  readonly effect?: (item: unknown, context: unknown) => PromiseLike<unknown> | Observable<unknown>;
  readonly batchEffect?: (batch: readonly unknown[], context: unknown) => unknown;
  readonly stream?: (items$: Observable<unknown>, context: unknown) => Observable<unknown>;
  readonly limits?: unknown;
}

declare const types: unique symbol;

/**
 * A stage: a name, the services it needs, and one form of work. Made by `defineStage`, run by the runner; the type
 * parameters are what its neighbours in a pipeline are checked against.
 */
export interface Stage<In, Out, N extends ServiceName = never> {
  readonly name: string;
  readonly needs: readonly N[];
  readonly form: StageForm;
  readonly [types]?: (item: In) => Out;
}
