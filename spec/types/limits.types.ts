/** A stage that takes time says its limits, all of them. Checked by the compiler: each expected error is a rule. */
import type { Batch } from '../../lib/flow/fair-batches.ts';
import { defineStage } from '../../lib/stages/define-stage.ts';
import { batchLimits, effectLimits, later, queue, streamLimits, through } from './parts.ts';

const name = 'spec';
const slot = 'message:authorized';
const { concurrency, timeoutMs } = effectLimits;
const { capacity } = queue;
const both = { concurrency, timeoutMs };
const { maxHoldMs } = streamLimits;
const count = (batch: Batch<string>): number => batch.length;

// What must compile.
defineStage({ name, slot, effect: later, limits: { concurrency, timeoutMs, queue } });
defineStage({
  name,
  slot,
  effect: later,
  limits: { ...effectLimits, queue: { capacity: 1, overflow: 'reject' } },
});
defineStage({
  name,
  slot,
  effect: later,
  limits: { ...effectLimits, queue: { ...queue, overflow: 'drop-oldest' } },
});
defineStage({ name, slot, stream: through, limits: { queue, maxHoldMs: 1 } });
defineStage({ name, batchEffect: count, limits: batchLimits });
defineStage({ name, batchEffect: count, limits: () => batchLimits });
defineStage({
  name,
  needs: ['config'],
  batchEffect: count,
  limits: ({ config }) => limitsFrom(config.cleanup),
});

const limitsFrom = ({ batchSize: maxSize }: { readonly batchSize: number }) => ({
  ...batchLimits,
  batch: { maxSize, maxWaitMs: 1 },
});

// @ts-expect-error An effect has limits.
defineStage({ name, slot, effect: later });

// @ts-expect-error An effect says how many items it works on at once.
defineStage({ name, slot, effect: later, limits: { timeoutMs, queue } });

// @ts-expect-error An effect says how long one item may take.
defineStage({ name, slot, effect: later, limits: { concurrency, queue } });

// @ts-expect-error An effect has a queue with a cap.
defineStage({ name, slot, effect: later, limits: { concurrency, timeoutMs } });

// @ts-expect-error The queue of an effect has a cap.
defineStage({ name, slot, effect: later, limits: { ...effectLimits, queue: { overflow: 'reject' } } });

// @ts-expect-error What happens beyond the cap is chosen by the author: there is no default.
defineStage({ name, slot, effect: later, limits: { ...effectLimits, queue: { capacity: 1 } } });

// @ts-expect-error An overflow rule is one of those that exist.
defineStage({ name, slot, effect: later, limits: { ...both, queue: { capacity, overflow: 'block' } } });

// @ts-expect-error What an effect cannot work on is not worked on inline.
defineStage({ name, slot, effect: later, limits: { ...both, queue: { capacity, overflow: 'inline' } } });

// @ts-expect-error Limits made from the context are held to the same.
defineStage({ name, slot, effect: later, limits: () => ({ concurrency, timeoutMs }) });

// @ts-expect-error A stream has limits.
defineStage({ name, slot, stream: through });

// @ts-expect-error A stream may hold so many items and no more.
defineStage({ name, slot, stream: through, limits: { maxHoldMs: 1, queue: { overflow: 'reject' } } });

// @ts-expect-error A stream may hold an item so long and no longer.
defineStage({ name, slot, stream: through, limits: { queue } });

const dropOldest = { capacity, overflow: 'drop-oldest' } as const;
// @ts-expect-error Nobody knows which item of a stream is the oldest.
defineStage({ name, slot, stream: through, limits: { maxHoldMs, queue: dropOldest } });

// @ts-expect-error A batch has limits.
defineStage({ name, batchEffect: count });

// @ts-expect-error A batch closes by time too: by size alone the last one would wait for ever.
defineStage({ name, batchEffect: count, limits: { ...batchLimits, batch: { maxSize: 10 } } });

// @ts-expect-error A batch closes by size too.
defineStage({ name, batchEffect: count, limits: { ...batchLimits, batch: { maxWaitMs: 10 } } });

// @ts-expect-error An item that finds the queue of a batch full is worked on inline: none is refused.
defineStage({ name, batchEffect: count, limits: { ...batchLimits, queue } });

// @ts-expect-error A batch says how many are in work at once.
defineStage({ name, batchEffect: count, limits: { ...batchLimits, concurrency: undefined } });

// @ts-expect-error A batch that fails is tried again: its author says when.
defineStage({ name, batchEffect: count, limits: { ...batchLimits, retryPausesMs: [] } });

// @ts-expect-error A stage of a user gets items, not batches.
defineStage({ name, slot, batchEffect: later, limits: batchLimits });
