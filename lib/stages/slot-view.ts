import { andThen } from '../flow/maybe-promise.ts';
import type { StageForm } from './stage.ts';

/** Where stages of users are shown a part of what flows, and what they answer takes the place of that part. */
export interface SlotView<Item, Shown> {
  readonly show: (item: Item) => Shown;
  /** @throws SpillwayError when the answer cannot take the place. */
  readonly putBack: (item: Item, answer: unknown, stage: string) => Item;
}

/** A `map` or a `tap` on the shown part as one on the whole item. It passes every item on: there is no way to drop one. */
export function throughView<Item, Shown>(
  { map, tap }: StageForm,
  stage: string,
  { show, putBack }: SlotView<Item, Shown>,
): StageForm {
  if (map !== undefined) {
    return {
      map: (item, context) =>
        andThen(map(show(item as Item), context), (answer) => putBack(item as Item, answer, stage)),
    };
  }
  return { tap: (item, context) => tap?.(show(item as Item), context) };
}
