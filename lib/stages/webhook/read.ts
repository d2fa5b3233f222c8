import { andThen, type MaybePromise } from '../../flow/maybe-promise.ts';
import type { LaneTurn, TurnRead } from '../../webhooks/turn.ts';
import { defineStage } from '../define-stage.ts';
import { DROP, type Drop } from '../stage.ts';

/** Events that the endpoint does not take are among those that are read. */
const readPerBatch = 25;
const maxRead = 1_000;

/** Events that are read in one turn, at most. */
export function readLimit({ webhooks }: { readonly webhooks: { readonly batchSize: number } }): number {
  return Math.min(maxRead, webhooks.batchSize * readPerBatch);
}

/** What the lane has. A batch that was recorded before goes on to delivery as it is. */
export const read = defineStage({
  name: 'read',
  needs: ['config', 'outbox', 'schedule'],
  map: (turn: LaneTurn, { config, outbox, schedule }): MaybePromise<TurnRead | Drop> =>
    andThen(outbox.read(turn.lane, readLimit(config)), (content) => {
      if (content.batch === undefined) return { ...turn, content };
      schedule.deliver(turn, content.batch);
      return DROP;
    }),
});
