import { SpillwayError } from '../errors/spillway-error.ts';
import { isPromise, type MaybePromise } from '../flow/maybe-promise.ts';
import { type BoundStage, type GateExits, noteFailure, noteSuccess } from './bound-stage.ts';
import { ensureItem, ensureItems } from './ensure-item.ts';
import { DROP } from './stage.ts';

/** Latency is measured on one item in this many. */
const sampleEvery = 64;

export interface SegmentExits extends GateExits {
  readonly onFailure: (error: unknown, item: unknown, stage: BoundStage) => void;
  /** The stage has tripped and is not asked about this item, which ends here. */
  readonly onPassedOver: (item: unknown, stage: BoundStage) => void;
}

export type Segment = (item: unknown, emit: (out: unknown) => void) => MaybePromise<void>;

/** One sync stage as one step: takes an item, answers what goes on, `DROP`, or a `Split`. */
type Step = (item: unknown, context: unknown) => unknown;

class Split {
  readonly items: readonly unknown[];
  constructor(items: readonly unknown[]) {
    this.items = items;
  }
}

/**
 * Compiles neighbouring sync stages into one function: a loop with plain counters that touches a promise only if a stage
 * answers one. It never throws: a stage that fails loses its item to the error exit.
 */
export function compileSegment(stages: readonly BoundStage[], exits: SegmentExits): Segment {
  const compiled = new CompiledSegment(stages, exits);
  return (item, emit) => compiled.run(0, item, emit);
}

type Emit = (out: unknown) => void;

class CompiledSegment {
  readonly #stages: readonly { readonly stage: BoundStage; readonly step: Step }[];
  readonly #exits: SegmentExits;

  constructor(stages: readonly BoundStage[], exits: SegmentExits) {
    this.#stages = stages.map((stage) => ({ stage, step: stepOf(stage) }));
    this.#exits = exits;
  }

  run(from: number, start: unknown, emit: Emit): MaybePromise<void> {
    let item = start;
    for (let i = from; i < this.#stages.length; i++) {
      const { stage, step } = this.#stages[i] as { stage: BoundStage; step: Step };
      if (stage.gate?.admits() === false) {
        stage.stats.dropped++;
        if (stage.form.tap !== undefined) continue;
        this.#exits.onPassedOver(item, stage);
        return undefined;
      }
      const out = call(stage, step, item);
      if (out instanceof Failure) {
        if (!this.#fail(stage, out.error, item)) return undefined;
        continue;
      }
      if (isPromise(out)) return this.#later(i, stage, item, out, emit);
      this.#count(stage, out);
      if (out === DROP) return undefined;
      if (out instanceof Split) return this.#runEach(i + 1, out.items, emit);
      item = out;
    }
    emit(item);
    return undefined;
  }

  #runEach(from: number, items: readonly unknown[], emit: Emit): MaybePromise<void> {
    const waiting = items.map((item) => this.run(from, item, emit)).filter(isPromise);
    return waiting.length === 0 ? undefined : Promise.all(waiting).then(() => undefined);
  }

  async #later(
    index: number,
    stage: BoundStage,
    item: unknown,
    answer: PromiseLike<unknown>,
    emit: Emit,
  ): Promise<void> {
    let out: unknown;
    try {
      out = await inTime(stage, answer);
    } catch (error) {
      if (this.#fail(stage, error, item)) await this.run(index + 1, item, emit);
      return;
    }
    this.#count(stage, out);
    if (out instanceof Split) await this.#runEach(index + 1, out.items, emit);
    else if (out !== DROP) await this.run(index + 1, out, emit);
  }

  #count(stage: BoundStage, out: unknown): void {
    noteSuccess(stage, this.#exits);
    if (out === DROP) stage.stats.dropped++;
    else stage.stats.passed++;
  }

  /** Answers whether the item goes on all the same: a stage that only looks on loses nothing for others. */
  #fail(stage: BoundStage, error: unknown, item: unknown): boolean {
    const isTap = stage.form.tap !== undefined;
    noteFailure(stage, error, this.#exits);
    this.#exits.onFailure(error, isTap ? undefined : item, stage);
    return isTap;
  }
}

class Failure {
  readonly error: unknown;
  constructor(error: unknown) {
    this.error = error;
  }
}

function call(stage: BoundStage, step: Step, item: unknown): unknown {
  const sampled = stage.stats.received++ % sampleEvery === 0;
  const startedMs = sampled ? performance.now() : 0;
  try {
    return step(item, stage.context);
  } catch (error) {
    return new Failure(error);
  } finally {
    if (sampled) sample(stage, performance.now() - startedMs);
  }
}

function sample(stage: BoundStage, tookMs: number): void {
  stage.stats.samples++;
  stage.stats.sampledMs += tookMs;
  if (tookMs > stage.stats.longestMs) stage.stats.longestMs = tookMs;
}

/** A stage's form as a step. Filters and guards answer the item itself; what is neither item nor drop is a mistake. */
function stepOf({ form, name }: BoundStage): Step {
  const { map, filter, tap, split, guard } = form;
  if (map !== undefined) {
    const ensure = (out: unknown): unknown => ensureItem(name, 'map', out);
    return (item, context) => settle(map(item, context), ensure);
  }
  if (filter !== undefined) {
    return (item, context) => settle(filter(item, context), (keep) => (keep === true ? item : DROP));
  }
  if (split !== undefined) return (item, context) => new Split(ensureItems(name, split(item, context)));
  if (guard !== undefined) {
    return (item, context) => settle(guard(item, context), (verdict) => ensureAdmitted(name, verdict, item));
  }
  return (item, context) => settle(tap?.(item, context), () => item);
}

function settle(answer: unknown, next: (answer: unknown) => unknown): unknown {
  return isPromise(answer) ? answer.then(next) : next(answer);
}

function ensureAdmitted(stage: string, verdict: unknown, item: unknown): unknown {
  if (verdict === true) return item;
  if (typeof verdict === 'object' && verdict !== null && 'closeCode' in verdict && 'reason' in verdict) {
    const { closeCode, reason } = verdict;
    throw new SpillwayError('connection.refused-by-stage', {
      closeCode: Number(closeCode),
      reason: String(reason),
    });
  }
  const problem = 'guard must answer true or { closeCode, reason }';
  throw new SpillwayError('stage.invalid', { stage, problem });
}

async function inTime(stage: BoundStage, answer: PromiseLike<unknown>): Promise<unknown> {
  const { timeoutMs } = stage;
  if (timeoutMs === undefined) return answer;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      reject(new SpillwayError('stage.timeout', { stage: stage.name, timeoutMs }));
    }, timeoutMs).unref();
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
