import { andThen, type MaybePromise } from '../../flow/maybe-promise.ts';
import type { WebhookEndpoint } from '../../webhooks/endpoint.ts';
import type { LaneTurn, TurnRead } from '../../webhooks/turn.ts';
import { defineStage } from '../define-stage.ts';
import { DROP, type Drop } from '../stage.ts';

/** Events that the endpoint does not take are among those that are read. */
const readPerBatch = 25;
const maxRead = 1_000;

interface Limits {
  readonly webhooks: { readonly batchSize: number };
}

/** Events in one request to the endpoint, at most. */
export function batchSizeOf({ batching }: WebhookEndpoint, { webhooks }: Limits): number {
  return batching ? webhooks.batchSize : 1;
}

/** Events that are read in one turn, at most. */
export function readLimit(endpoint: WebhookEndpoint, limits: Limits): number {
  return Math.min(maxRead, batchSizeOf(endpoint, limits) * readPerBatch);
}

/** What the lane has. A batch that was recorded before goes on to delivery as it is. */
export const read = defineStage({
  name: 'read',
  needs: ['config', 'outbox', 'schedule'],
  map: (turn: LaneTurn, { config, outbox, schedule }): MaybePromise<TurnRead | Drop> =>
    andThen(outbox.read(turn.lane, readLimit(turn.endpoint, config)), (content) => {
      if (content.batch === undefined) return { ...turn, content };
      schedule.deliver(turn, content.batch);
      return DROP;
    }),
});
