import type { SpillwayError } from '../errors/spillway-error.ts';
import type { Transport } from '../channels/connection.ts';
import type { ServiceName } from './services.ts';
import type { SlotItems, SlotName } from './slots.ts';
import type { ContextWith, Stage } from './stage.ts';

/** The services that are lanes, each with the key it orders by. */
interface LaneKeys {
  connectionLanes: Transport;
  publishLanes: string;
}

export type Step =
  | { readonly kind: 'stage'; readonly stage: Stage<never, unknown, ServiceName> }
  | { readonly kind: 'slot'; readonly slot: SlotName }
  | { readonly kind: 'in-order'; readonly lanes: keyof LaneKeys; readonly by: (item: never) => unknown };

/** The error exit: what becomes of an item whose stage threw. */
export interface ErrorExit<Subject, N extends readonly ServiceName[]> {
  readonly needs: N;
  readonly answer: (error: SpillwayError, item: Subject, context: ContextWith<N>) => void;
}

declare const input: unique symbol;

/** A finished pipeline: every stage fits its neighbours and there is an error exit. Only `refused` makes one. */
export interface Pipeline<In, N extends ServiceName> {
  readonly name: string;
  readonly steps: readonly Step[];
  readonly exit: ErrorExit<never, readonly ServiceName[]>;
  readonly needs: readonly N[];
  readonly [input]?: (item: In) => void;
}

/**
 * A pipeline under construction, read from top to bottom as the story of its event.
 * `Subject` is what every item is known as to the error exit, `Keyed` what the order in force is read from.
 */
export class PipelineBuilder<
  Subject,
  In extends Subject,
  Current extends Subject,
  N extends ServiceName,
  Keyed = unknown,
> {
  readonly #name: string;
  readonly #steps: readonly Step[];

  constructor(name: string, steps: readonly Step[] = []) {
    this.#name = name;
    this.#steps = steps;
  }

  /** The next stage; it takes what the one before gives. */
  to<Out extends Subject & Keyed, M extends ServiceName>(
    stage: Stage<Current, Out, M>,
  ): PipelineBuilder<Subject, In, Out, N | M, Keyed> {
    return this.#with({ kind: 'stage', stage });
  }

  /** A place where stages of users stand, in the order they are configured. Empty, it costs nothing. */
  slot<S extends SlotName>(
    slot: SlotItems[S] extends Current ? (Current extends SlotItems[S] ? S : never) : never,
  ): PipelineBuilder<Subject, In, Current, N, Keyed> {
    return this.#with({ kind: 'slot', slot });
  }

  /**
   * From here on items of one key are worked on one after the other, also when one has to wait for a promise. The key is
   * read again behind every stage that takes time: `by` takes whatever flows until the end.
   */
  inOrder<Name extends keyof LaneKeys, NewlyKeyed>(
    lanes: Name,
    by: ((item: NewlyKeyed) => LaneKeys[Name]) & ((item: Current) => LaneKeys[Name]),
  ): PipelineBuilder<Subject, In, Current, N, NewlyKeyed> {
    return this.#with({ kind: 'in-order', lanes, by });
  }

  /** Where items go whose stage threw. Ends the pipeline. */
  refused<const M extends readonly ServiceName[]>(exit: ErrorExit<Subject, M>): Pipeline<In, N | M[number]> {
    const needs = this.#steps.flatMap((step) => (step.kind === 'stage' ? step.stage.needs : []));
    return {
      name: this.#name,
      steps: this.#steps,
      exit,
      needs: [...needs, ...exit.needs] as (N | M[number])[],
    };
  }

  #with<Out extends Subject, M extends ServiceName, K>(step: Step): PipelineBuilder<Subject, In, Out, M, K> {
    return new PipelineBuilder<Subject, In, Out, M, K>(this.#name, [...this.#steps, step]);
  }
}

/** Begins a pipeline for items of type `In`. */
export function pipeline<Subject, In extends Subject>(name: string): PipelineBuilder<Subject, In, In, never> {
  return new PipelineBuilder(name);
}

/** An error exit with the services it needs. */
export function errorExit<Subject, const N extends readonly ServiceName[]>(
  needs: N,
  answer: (error: SpillwayError, item: Subject, context: ContextWith<N>) => void,
): ErrorExit<Subject, N> {
  return { needs, answer };
}
