import { andThen, type MaybePromise } from '../../flow/maybe-promise.ts';
import type { PendingEvent } from '../../outbox/outbox.ts';
import type { WebhookEndpoint } from '../../webhooks/endpoint.ts';
import { chainOf, toPayload } from '../../webhooks/payload.ts';
import type { TurnChosen, TurnRead } from '../../webhooks/turn.ts';
import { defineStage } from '../define-stage.ts';
import type { Services } from '../services.ts';
import { DROP, type Drop } from '../stage.ts';
import { batchSizeOf, takes } from './read.ts';
import { sealed } from './ready-view.ts';

type Needs = Pick<Services, 'clock' | 'config' | 'outbox' | 'schedule'>;

/** The next batch: of what was read, the first events that this endpoint takes. Too few wait for more until their window is over. */
export const choose = defineStage({
  name: 'choose',
  needs: ['clock', 'config', 'outbox', 'schedule'],
  map: (turn: TurnRead, services): MaybePromise<TurnChosen | Drop> => {
    const { content, endpoint } = turn;
    const batchSize = batchSizeOf(endpoint, services.config);
    const { chosen, upTo } = firstTaken(content.events, endpoint, batchSize);
    const [oldest, ...others] = chosen;
    if (oldest === undefined || upTo === undefined) return goOn(turn, upTo, services);
    const { batchWindowMs } = services.config.webhooks;
    const waitsUntilMs = oldest.event.atMs + batchWindowMs;
    const leftMs = waitsUntilMs - services.clock.now();
    const isPartial = chosen.length < batchSize && turn.isAll && !services.schedule.isDraining;
    // More than the window is left only when the clock was set back: nobody waits for that.
    if (isPartial && leftMs > 0 && leftMs <= batchWindowMs) {
      services.schedule.gather(turn, waitsUntilMs, content.events.length + batchSize - chosen.length);
      return DROP;
    }
    return { ...turn, chosen: [oldest, ...others], upTo, ready: toReady(turn, chosen) };
  },
});

function firstTaken(
  events: readonly PendingEvent[],
  endpoint: WebhookEndpoint,
  limit: number,
): { readonly chosen: readonly PendingEvent[]; readonly upTo: number | undefined } {
  const chosen: PendingEvent[] = [];
  let upTo: number | undefined;
  for (const pending of events) {
    if (takes(endpoint, pending)) {
      if (chosen.length === limit) break;
      chosen.push(pending);
    }
    upTo = pending.position;
  }
  return { chosen, upTo };
}

/** The endpoint takes none of what was read. */
function goOn(turn: TurnRead, upTo: number | undefined, services: Needs): MaybePromise<Drop> {
  const { outbox, schedule } = services;
  if (upTo === undefined) {
    schedule.idle(turn);
    return DROP;
  }
  return andThen(outbox.skip(turn.lane, turn.content.token, upTo), (isSkipped) => {
    if (isSkipped && turn.isAll) schedule.idle(turn);
    else schedule.again(turn);
    return DROP;
  });
}

function toReady({ content, endpoint }: TurnRead, chosen: readonly PendingEvent[]): TurnChosen['ready'] {
  const events = chosen.map(({ event }) => event);
  const chain = chainOf(events, content.sent);
  const payloads = events.map((event, index) => toPayload(event, chain[index]));
  return sealed({ appId: endpoint.appId, endpointId: endpoint.id, events: payloads });
}
