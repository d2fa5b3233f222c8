import { SpillwayError } from '../errors/spillway-error.ts';
import { limitsProblem } from './limits-problem.ts';
import type { ServiceName } from './services.ts';
import { formsOfSlot, type SlotForm, type SlotName, type Slots } from './slots.ts';
import type { AnyForm, ContextWith, Stage } from './stage.ts';

interface StageOf<S extends SlotName> extends Stage<Slots[S], Slots[S], ServiceName> {
  readonly slot: S;
}

/** A stage that stands in a slot; without a parameter, in any. */
export type SlotStage<S extends SlotName = SlotName> = { readonly [Name in S]: StageOf<Name> }[S];

interface Named<N extends readonly ServiceName[]> {
  /** Appears in logs, metrics and the console. */
  readonly name: string;
  /** The services the stage is given beside its context. */
  readonly needs?: N;
}

/** Marks values made by `defineStage`, also those of another copy of this module. */
const brand = Symbol.for('spillway.stage');
const formKeys = ['map', 'filter', 'tap', 'split', 'effect', 'batchEffect', 'stream', 'guard'] as const;

/**
 * Defines a stage: with `slot`, one that a user adds to the pipelines; without, one of the product's own.
 *
 * The types refuse a stage that does not fit its slot, a batch without a time limit, and an effect without a
 * concurrency, a time limit and an overflow rule; the same is checked when the stage is loaded, and limits made from the
 * context when the server starts.
 */
export function defineStage<const S extends SlotName, const N extends readonly ServiceName[] = readonly []>(
  definition: Named<N> & { readonly slot: S } & SlotForm<S, ContextWith<N>>,
): SlotStage<S>;
export function defineStage<In, Out = In, const N extends readonly ServiceName[] = readonly []>(
  definition: Named<N> & { readonly slot?: never } & AnyForm<In, Out, ContextWith<N>>,
): Stage<In, Out, N[number]>;
export function defineStage(definition: Named<readonly ServiceName[]> & { readonly slot?: string }): unknown {
  const { name, needs = [], slot, ...form } = definition;
  check(definition, form);
  return Object.freeze({ [brand]: true, name, needs, slot, form });
}

/** Whether a value, of a user's module for one, was made by `defineStage` for a slot. */
export function isSlotStage(value: unknown): value is SlotStage {
  return (
    typeof value === 'object' &&
    value !== null &&
    brand in value &&
    'slot' in value &&
    value.slot !== undefined
  );
}

function check(definition: Named<readonly ServiceName[]> & { readonly slot?: string }, form: object): void {
  const { name, slot } = definition;
  const problem = problemOf(name, slot, form);
  if (problem !== undefined)
    throw new SpillwayError('stage.invalid', { stage: name || '(no name)', problem });
}

function problemOf(name: unknown, slot: string | undefined, form: object): string | undefined {
  if (typeof name !== 'string' || !/^[\w.-]{1,60}$/.test(name)) {
    return 'name must be 1 to 60 letters, digits, _ . or -';
  }
  const given = formKeys.filter((key) => key in form);
  const [kind] = given;
  if (kind === undefined || given.length > 1) {
    return `give exactly one of ${formKeys.join(', ')}; found ${given.join(' and ') || 'none'}`;
  }
  if (slot === undefined) return undefined;
  if (!Object.hasOwn(formsOfSlot, slot)) {
    return `slot ${slot} does not exist; there are ${Object.keys(formsOfSlot).join(', ')}`;
  }
  const allowed = formsOfSlot[slot as SlotName];
  if (!allowed.includes(kind)) return `a stage in ${slot} may be ${allowed.join(' or ')}, not ${kind}`;
  if (kind !== 'effect' && kind !== 'stream') return undefined;
  const { limits } = form as { readonly limits?: unknown };
  return typeof limits === 'function' ? undefined : limitsProblem(kind, limits);
}
