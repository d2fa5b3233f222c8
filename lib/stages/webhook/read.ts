import { andThen, type MaybePromise } from '../../flow/maybe-promise.ts';
import type { Outbox, PendingEvent } from '../../outbox/outbox.ts';
import type { WebhookEndpoint } from '../../webhooks/endpoint.ts';
import type { LaneTurn, TurnRead } from '../../webhooks/turn.ts';
import { defineStage } from '../define-stage.ts';
import { DROP, type Drop } from '../stage.ts';

/** Events that the endpoint does not take are among those that are read: of a batch that is not full so much more is read. */
const furtherBy = 5;
/** Events that are read for one batch, at most. */
const readPerBatch = 25;
const maxRead = 1_000;

type Read = Pick<TurnRead, 'content' | 'isAll'>;

interface Limits {
  readonly webhooks: { readonly batchSize: number };
}

/** Events in one request to the endpoint, at most. */
export function batchSizeOf({ batching }: WebhookEndpoint, { webhooks }: Limits): number {
  return batching ? webhooks.batchSize : 1;
}

/** Whether the endpoint is to be told of the event. */
export function takes(endpoint: WebhookEndpoint, { event }: PendingEvent): boolean {
  return event.kind === 'spillway_coalesced' || endpoint.takes(event.kind, event.channel);
}

/** What the lane has. A batch that was recorded before goes on to delivery as it is. */
export const read = defineStage({
  name: 'read',
  needs: ['config', 'outbox', 'schedule'],
  map: (turn: LaneTurn, { config, outbox, schedule }): MaybePromise<TurnRead | Drop> =>
    andThen(readOn(turn, batchSizeOf(turn.endpoint, config), outbox), ({ content, isAll }) => {
      if (content.batch === undefined) return { ...turn, content, isAll };
      schedule.deliver(turn, content.batch);
      return DROP;
    }),
});

/** As little as makes a full batch: what is read beyond that is read again for the next. */
function readOn(turn: LaneTurn, batchSize: number, outbox: Outbox): MaybePromise<Read> {
  const most = Math.min(maxRead, batchSize * readPerBatch);
  const read = (limit: number): MaybePromise<Read> =>
    andThen(outbox.read(turn.lane, limit), (content) => {
      const isAll = content.events.length < limit;
      if (isAll || limit >= most || isFull(content.events, turn.endpoint, batchSize))
        return { content, isAll };
      return read(Math.min(most, limit * furtherBy));
    });
  return read(batchSize);
}

function isFull(events: readonly PendingEvent[], endpoint: WebhookEndpoint, batchSize: number): boolean {
  let taken = 0;
  for (const pending of events) if (takes(endpoint, pending)) taken++;
  return taken >= batchSize;
}
