import { SpillwayError } from '../errors/spillway-error.ts';

/** What a stage passes on is something: users' stages are not always type-checked. */
export function ensureItem(stage: string, form: 'map' | 'effect' | 'stream', out: unknown): unknown {
  if (out !== undefined && out !== null) return out;
  const problem = `${form} answered nothing: return the item to pass it on, or DROP to drop it`;
  throw new SpillwayError('stage.invalid', { stage, problem });
}

export function ensureItems(stage: string, out: unknown): readonly unknown[] {
  if (Array.isArray(out) && !out.some((item) => item === undefined || item === null)) return out;
  const problem = 'split must answer a list of items, at once; an empty one drops the item';
  throw new SpillwayError('stage.invalid', { stage, problem });
}
