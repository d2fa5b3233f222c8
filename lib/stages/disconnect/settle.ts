import { availableParallelism } from 'node:os';
import type { Config } from '../../../config/schema.ts';
import type { PendingLeave } from '../../channels/subscription.ts';
import type { Batch } from '../../flow/batch-by.ts';
import { andThen, isPromise, type MaybePromise } from '../../flow/maybe-promise.ts';
import { defineStage } from '../define-stage.ts';
import type { Departure } from '../events.ts';
import type { Services } from '../services.ts';
import type { BatchStageLimits } from '../stage.ts';
import { finishLeaves, toLeave } from './leaves.ts';

/** The longest a batch may wait for its stores. */
const settleTimeoutMs = 10_000;

type Needs = Pick<Services, 'clock' | 'membership' | 'quota' | 'subscriptions' | 'telemetry' | 'users'>;

/** Tells the stores who left, many in one call, in batches that never mix apps. */
export const settle = defineStage({
  name: 'settle',
  needs: ['config', 'clock', 'membership', 'quota', 'subscriptions', 'telemetry', 'users'],
  limits: ({ config }) => limitsOf(config),
  batchEffect: (batch: Batch<Departure>, services): MaybePromise<Batch<Departure>> => {
    const startedMs = services.clock.now();
    const leaves = takeUnsettled(batch);
    return andThen(tellStores(batch, leaves, services), () => {
      services.telemetry.emit('cleanup.flushed', {
        batchSize: batch.length,
        leaves: leaves.length,
        durationMs: services.clock.now() - startedMs,
      });
      return batch;
    });
  },
});

function limitsOf({ cleanup }: Config): BatchStageLimits<Departure> {
  const isInline = cleanup.mode === 'inline';
  return {
    batch: {
      maxSize: isInline ? 1 : cleanup.batchSize,
      maxWaitMs: isInline ? 0 : cleanup.batchWindowMs,
      by: ({ departed }) => departed.connection.app.id,
    },
    concurrency:
      cleanup.concurrency === 'auto'
        ? Math.min(4, Math.max(1, Math.floor(availableParallelism() / 4)))
        : cleanup.concurrency,
    timeoutMs: settleTimeoutMs,
    queue: { capacity: cleanup.queueCapacity, overflow: 'inline' },
  };
}

/** The batch's leaves that no join has carried to the store before; from here on this call does. */
function takeUnsettled(batch: Batch<Departure>): readonly PendingLeave[] {
  const leaves = batch.flatMap((departure) => departure.leaves).filter((leave) => !leave.settled);
  for (const leave of leaves) leave.settled = true;
  return leaves;
}

function tellStores(
  batch: Batch<Departure>,
  leaves: readonly PendingLeave[],
  services: Needs,
): MaybePromise<unknown> {
  const appId = batch[0].departed.connection.app.id;
  const left = andThen(services.membership.apply(leaves.map(toLeave)), (results) =>
    finishLeaves(services, leaves, results),
  );
  const closed = batch.filter(({ departed }) => departed.kind === 'connection').length;
  const released = closed === 0 ? undefined : services.quota.release(appId, closed);
  const answers = [left, signOut(batch, services), released].filter(isPromise);
  return answers.length === 0 ? undefined : Promise.all(answers);
}

function signOut(batch: Batch<Departure>, { users, telemetry }: Needs): MaybePromise<void> {
  const signOuts = batch.flatMap(({ userId, departed: { connection } }) =>
    userId === undefined
      ? []
      : [{ kind: 'sign-out' as const, appId: connection.app.id, userId, socketId: connection.socketId }],
  );
  if (signOuts.length === 0) return undefined;
  for (const { appId, userId, socketId } of signOuts)
    telemetry.emit('user.signed-out', { appId, userId, socketId });
  return users.apply(signOuts);
}
