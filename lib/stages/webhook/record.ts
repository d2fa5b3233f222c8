import { andThen, type MaybePromise } from '../../flow/maybe-promise.ts';
import type { NewBatch } from '../../outbox/outbox.ts';
import { newBatch } from '../../webhooks/new-batch.ts';
import type { TurnChosen } from '../../webhooks/turn.ts';
import { defineStage } from '../define-stage.ts';
import type { Services } from '../services.ts';

type Needs = Pick<Services, 'clock' | 'outbox' | 'schedule' | 'telemetry'>;

/** Keeps the batch with its bytes before its first attempt, so that every attempt sends the same. */
export const record = defineStage({
  name: 'record',
  needs: ['clock', 'outbox', 'schedule', 'telemetry'],
  map: (turn: TurnChosen, services): MaybePromise<TurnChosen> => {
    const { outbox, schedule, clock } = services;
    const events = turn.chosen.map(({ event }) => event);
    const batch = newBatch(clock.now(), events, turn.ready.events);
    return andThen(outbox.record(turn.lane, turn.content.token, turn.upTo, batch), (isRecorded) => {
      if (isRecorded) {
        tell(turn, batch, services);
        schedule.deliver(turn, { ...batch, ...untried });
      } else {
        schedule.again(turn);
      }
      return turn;
    });
  },
});

const untried = { failures: 0, lastFailure: undefined, refusedSinceMs: undefined, isSplit: false };

function tell({ lane }: TurnChosen, { id, events }: NewBatch, { telemetry }: Needs): void {
  const { appId, endpointId } = lane;
  const coalesced = events.reduce(
    (sum, event) => (event.kind === 'spillway_coalesced' ? sum + event.count : sum),
    0,
  );
  if (coalesced > 0)
    telemetry.emit('webhook.coalesced', { appId, endpointId, batchId: id, events: coalesced });
  if (!telemetry.isEnabled('webhook.recorded')) return;
  telemetry.emit('webhook.recorded', { appId, endpointId, batchId: id, events: events.length });
}
