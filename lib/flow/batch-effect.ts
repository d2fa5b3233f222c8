import { merge, Observable, type OperatorFunction, Subject, Subscription, take, tap, timer } from 'rxjs';
import type { Subscriber } from 'rxjs';
import { type Clock, systemClock } from './clock.ts';
import { FailureGate } from './failure-gate.ts';
import { type Batch, type BatchShape, FairBatches } from './fair-batches.ts';
import { toStream, type Work } from './isolate.ts';
import type { MaybePromise } from './maybe-promise.ts';

/** Why an item is worked on alone, at once, although there is a queue: it is full, or skipped because it was full too often. */
export type InlineReason = 'queue-full' | 'breaker-open';

export interface BatchEffectLimits<In> {
  /** `inline`: each item is worked on alone, at once, and only what failed waits. */
  readonly mode: 'batched' | 'inline';
  readonly batch: BatchShape<In>;
  /** Batches in work at once. */
  readonly concurrency: number;
  /** Items accepted and not yet done, those that wait to be tried again included. */
  readonly capacity: number;
  /** Items in a row that find the queue full and open its breaker, and how long the queue is skipped then. */
  readonly breaker: { readonly refusals: number; readonly resetMs: number };
  /** How long a batch may hold its slot, in milliseconds. Its answer is waited for beyond that. */
  readonly timeoutMs: number;
  /** The pauses after each failure before a batch is tried again; the last one repeats. None holds a slot. */
  readonly retryPausesMs: Batch<number>;
  readonly reports: BatchReports;
}

/** What is told of the work besides its results. */
export interface BatchReports {
  readonly onInline: (reason: InlineReason, queued: number) => void;
  readonly onBreakerOpened: (queued: number) => void;
  readonly onBreakerClosed: () => void;
  readonly onRetry: (error: unknown, items: number, attempt: number, pauseMs: number) => void;
  readonly onLate: (items: number, timeoutMs: number) => void;
}

/** For gauges. */
export interface BatchQueue {
  /** Items that count against the capacity. */
  readonly depth: number;
  /** How long the oldest item that is not done has been here, in milliseconds; 0 when there is none. */
  readonly oldestAgeMs: number;
  readonly isBreakerOpen: boolean;
}

export interface BatchEffectOptions {
  readonly clock?: Clock;
  /** Handed the queue when the stream starts. */
  readonly onQueue?: (queue: BatchQueue) => void;
}

type Run<In, Out> = (batch: Batch<In>) => MaybePromise<Out> | Observable<Out>;

/**
 * Work on batches with a bounded queue before it whose overflow policy is `inline`: an item that finds the queue full is
 * worked on alone, at once, by the same function. One semantics, two schedules; nothing is refused and nothing is lost: a
 * batch that fails is tried again, an item that failed alone in a batch with others, and what is late is waited for.
 *
 * A breaker spares a queue that stays full: it is skipped for a while, then one item tries it again.
 */
export function batchEffect<In, Out>(
  run: Run<In, Out>,
  limits: BatchEffectLimits<In>,
  options: BatchEffectOptions = {},
): OperatorFunction<In, Out> {
  return (source$) =>
    new Observable<Out>((subscriber) => {
      const work = new BatchWork(run, limits, options.clock ?? systemClock, subscriber);
      options.onQueue?.(work);
      subscriber.add(() => work.close());
      subscriber.add(
        source$.pipe(tap((item) => work.accept(item))).subscribe({
          error: (error: unknown) => subscriber.error(error),
          complete: () => work.complete(),
        }),
      );
    });
}

interface Held<In> {
  readonly item: In;
  readonly sinceMs: number;
  /** Counts against the capacity. */
  isQueued: boolean;
  failures: number;
}

class BatchWork<In, Out> implements BatchQueue {
  readonly #run: Run<In, Out>;
  readonly #limits: BatchEffectLimits<In>;
  readonly #clock: Clock;
  readonly #subscriber: Subscriber<Out>;
  readonly #gate: FailureGate;
  readonly #batches: FairBatches<Held<In>>;
  /** What is not done, in the order it came. */
  readonly #held = new Set<Held<In>>();
  readonly #underWay = new Subscription();
  /** The source has ended: what pauses before its next attempt has it now. */
  readonly #ending$ = new Subject<void>();
  #queued = 0;
  #isEnding = false;

  constructor(run: Run<In, Out>, limits: BatchEffectLimits<In>, clock: Clock, subscriber: Subscriber<Out>) {
    this.#run = run;
    this.#limits = limits;
    this.#clock = clock;
    this.#subscriber = subscriber;
    const { batch, breaker, concurrency } = limits;
    this.#gate = new FailureGate({ threshold: breaker.refusals, resetMs: breaker.resetMs, clock });
    this.#batches = new FairBatches(shapeOfHeld(batch), concurrency);
    this.#underWay.add(this.#batches.batches$.subscribe((held) => this.#begin(held, true)));
  }

  get depth(): number {
    return this.#queued;
  }

  get oldestAgeMs(): number {
    const [oldest] = this.#held;
    return oldest === undefined ? 0 : this.#clock.now() - oldest.sinceMs;
  }

  get isBreakerOpen(): boolean {
    return this.#gate.isOpen;
  }

  accept(item: In): void {
    const held = { item, sinceMs: this.#clock.now(), isQueued: false, failures: 0 };
    this.#held.add(held);
    if (this.#limits.mode === 'batched' && this.#takesOneMore()) {
      this.#count(held);
      this.#batches.push(held);
    } else {
      this.#begin([held], false);
    }
  }

  complete(): void {
    this.#isEnding = true;
    this.#batches.complete();
    this.#ending$.next();
    this.#completeIfDone();
  }

  close(): void {
    this.#batches.close();
    this.#underWay.unsubscribe();
  }

  #takesOneMore(): boolean {
    const { capacity, reports } = this.#limits;
    if (!this.#gate.admits()) {
      reports.onInline('breaker-open', this.#queued);
      return false;
    }
    if (this.#queued >= capacity) {
      if (this.#gate.failed()) reports.onBreakerOpened(this.#queued);
      reports.onInline('queue-full', this.#queued);
      return false;
    }
    if (this.#gate.succeeded()) reports.onBreakerClosed();
    return true;
  }

  #begin(batch: Batch<Held<In>>, holdsSlot: boolean): void {
    const slot = new Subscription(holdsSlot ? () => this.#batches.free() : undefined);
    const late = new Subscription();
    const end = (): void => {
      late.unsubscribe();
      slot.unsubscribe();
      this.#completeIfDone();
    };
    const work: Work<Out> = () => this.#run(itemsOf(batch));
    const answer = toStream(work).subscribe({
      next: (out) => this.#subscriber.next(out),
      error: (error: unknown) => {
        this.#tryLater(error, batch, holdsSlot);
        end();
      },
      complete: () => {
        this.#release(batch);
        end();
      },
    });
    if (answer.closed) return;
    late.add(timer(this.#limits.timeoutMs).subscribe(() => this.#giveUpSlot(batch, slot)));
    this.#underWay.add(late);
    this.#underWay.add(answer);
  }

  /** The answer may come yet, and is waited for: who asks a second time may be heard twice. */
  #giveUpSlot(batch: Batch<Held<In>>, slot: Subscription): void {
    this.#limits.reports.onLate(batch.length, this.#limits.timeoutMs);
    slot.unsubscribe();
  }

  /** What failed alone comes back among the others, so that many of them do not all ask again at once and alone. */
  #tryLater(error: unknown, batch: Batch<Held<In>>, wasBatch: boolean): void {
    const { retryPausesMs, reports } = this.#limits;
    const failures = 1 + Math.max(...batch.map((held) => held.failures));
    for (const held of batch) {
      held.failures = failures;
      this.#count(held);
    }
    const pauseMs = retryPausesMs[Math.min(failures, retryPausesMs.length) - 1] ?? retryPausesMs[0];
    reports.onRetry(error, batch.length, failures, pauseMs);
    const pause$ = merge(timer(pauseMs), this.#ending$).pipe(take(1));
    const comeBack = wasBatch ? () => this.#batches.again(batch) : () => this.#batches.push(batch[0]);
    this.#underWay.add(pause$.subscribe(comeBack));
  }

  #count(held: Held<In>): void {
    if (held.isQueued) return;
    held.isQueued = true;
    this.#queued++;
  }

  #release(batch: Batch<Held<In>>): void {
    for (const held of batch) {
      this.#held.delete(held);
      if (held.isQueued) this.#queued--;
    }
  }

  #completeIfDone(): void {
    if (this.#isEnding && this.#held.size === 0) this.#subscriber.complete();
  }
}

function shapeOfHeld<In>(shape: BatchShape<In>): BatchShape<Held<In>> {
  const { maxSize, maxWaitMs, by, weightOf, isUrgent, pacedBy } = shape;
  return {
    maxSize,
    maxWaitMs,
    ...(by === undefined ? {} : { by: ({ item }: Held<In>) => by(item) }),
    ...(weightOf === undefined ? {} : { weightOf: ({ item }: Held<In>) => weightOf(item) }),
    ...(isUrgent === undefined ? {} : { isUrgent: ({ item }: Held<In>) => isUrgent(item) }),
    ...(pacedBy === undefined ? {} : { pacedBy }),
  };
}

function itemsOf<In>([first, ...rest]: Batch<Held<In>>): Batch<In> {
  return [first.item, ...rest.map(({ item }) => item)];
}
