import { andThen, type MaybePromise } from '../../flow/maybe-promise.ts';
import { halvesOf } from '../../webhooks/new-batch.ts';
import { outcomeOf } from '../../webhooks/outcome.ts';
import { verdictOn } from '../../webhooks/refusal.ts';
import { defineStage } from '../define-stage.ts';
import type { Services } from '../services.ts';
import type { AnsweredBatch } from './deliver.ts';

type Needs = Pick<Services, 'clock' | 'outbox' | 'schedule' | 'telemetry'>;

/** Tells the outbox what came of the attempt, and then the schedule: what is not acknowledged is sent again. */
export const acknowledge = defineStage({
  name: 'acknowledge',
  needs: ['clock', 'outbox', 'schedule', 'telemetry'],
  map: (answered: AnsweredBatch, services): MaybePromise<AnsweredBatch> => {
    if (answered.result.kind === 'withheld') return withhold(answered, services);
    const { outcome, reason } = outcomeOf(answered.result);
    return andThen(acts[outcome](answered, reason, services), () => answered);
  },
});

/** Whoever owns the lane has the batch and sends it: another node, or this one once its lease is renewed. */
function withhold(answered: AnsweredBatch, { schedule, telemetry }: Needs): AnsweredBatch {
  telemetry.emit('webhook.withheld', factsOf(answered));
  schedule.hold(answered);
  return answered;
}

type Act = (answered: AnsweredBatch, reason: string, services: Needs) => MaybePromise<unknown>;

const acts: Readonly<Record<ReturnType<typeof outcomeOf>['outcome'], Act>> = {
  taken: (answered, _, { clock, outbox, schedule, telemetry }) =>
    andThen(outbox.acknowledge(answered.lane, answered.batch.id), () => {
      const oldestAtMs = Math.min(...answered.batch.events.map(({ atMs }) => atMs));
      telemetry.emit('webhook.delivered', { ...factsOf(answered), delayMs: clock.now() - oldestAtMs });
      schedule.delivered(answered);
    }),

  failed: (answered, reason, { outbox, schedule, telemetry }) =>
    andThen(outbox.failed(answered.lane, answered.batch.id, { reason, isRefusal: false }), () => {
      telemetry.emit('webhook.failed', { ...factsOf(answered), reason });
      schedule.postpone(answered, reason, retryAfterMsOf(answered));
    }),

  refused: (answered, reason, services) => {
    const { clock, schedule, telemetry } = services;
    telemetry.emit('webhook.refused', { ...factsOf(answered), reason });
    const tookOthersSince = (sinceMs: number): boolean => schedule.succeededSince(answered, sinceMs);
    const verdict = verdictOn(answered.batch, clock.now(), tookOthersSince);
    if (verdict === 'split') return split(answered, services);
    if (verdict === 'give-up') return giveUp(answered, reason, services);
    return wait(answered, reason, services);
  },

  gone: (answered, reason, { outbox, schedule, telemetry }) =>
    andThen(outbox.failed(answered.lane, answered.batch.id, { reason, isRefusal: false }), () => {
      telemetry.emit('webhook.paused', { ...factsOf(answered), reason });
      schedule.pause(answered, reason);
    }),
};

function wait(answered: AnsweredBatch, reason: string, { outbox, schedule }: Needs): MaybePromise<void> {
  return andThen(outbox.failed(answered.lane, answered.batch.id, { reason, isRefusal: true }), () =>
    schedule.postpone(answered, reason, retryAfterMsOf(answered)),
  );
}

function split(answered: AnsweredBatch, { outbox, schedule, telemetry }: Needs): MaybePromise<void> {
  const { lane, batch } = answered;
  const parts = halvesOf(batch);
  return andThen(outbox.split(lane, batch.id, parts), () => {
    telemetry.emit('webhook.split', { ...factsOf(answered), parts: parts.map(({ id }) => id) });
    schedule.again(answered);
  });
}

function giveUp(
  answered: AnsweredBatch,
  reason: string,
  { outbox, schedule, telemetry }: Needs,
): MaybePromise<void> {
  const { lane, batch } = answered;
  return andThen(outbox.deadLetter(lane, batch.id, reason), () => {
    const eventIds = batch.events.map(({ id }) => id);
    telemetry.emit('webhook.dead-lettered', { ...factsOf(answered), eventIds, reason });
    schedule.again(answered);
  });
}

function retryAfterMsOf({ result }: AnsweredBatch): number {
  return result.kind === 'answered' ? (result.retryAfterMs ?? 0) : 0;
}

/** What every line about an attempt says. */
function factsOf({ lane, endpoint, batch }: AnsweredBatch) {
  return {
    appId: lane.appId,
    endpointId: lane.endpointId,
    host: endpoint.url.host,
    batchId: batch.id,
    events: batch.events.length,
    attempt: batch.failures + 1,
  };
}
