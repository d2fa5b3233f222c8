import type { PendingLeave } from '../../channels/subscription.ts';
import type { Batch } from '../../flow/fair-batches.ts';
import { andThen, isPromise, type MaybePromise, recover } from '../../flow/maybe-promise.ts';
import { defineStage } from '../define-stage.ts';
import type { Departure } from '../events.ts';
import type { Services } from '../services.ts';
import { cleanupLimits } from './cleanup-limits.ts';
import { finishLeaves, toLeave } from './leaves.ts';

type Needs = Pick<Services, 'clock' | 'membership' | 'quota' | 'subscriptions' | 'telemetry' | 'users'>;

/**
 * Tells the stores who left, many in one call, in batches that never mix apps. When one of them fails, the others have
 * done their part all the same; the batch comes again and tells only what has not been heard.
 */
export const settle = defineStage({
  name: 'settle',
  needs: ['config', 'clock', 'membership', 'quota', 'subscriptions', 'telemetry', 'users'],
  limits: (services) => cleanupLimits(services.config, services),
  batchEffect: (batch: Batch<Departure>, services): MaybePromise<Batch<Departure>> => {
    const startedMs = services.clock.now();
    const leaves = pendingLeaves(batch);
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

/** The batch's leaves that no store has answered; one that a join carries and that is not answered yet is told again. */
function pendingLeaves(batch: Batch<Departure>): readonly PendingLeave[] {
  const pending: PendingLeave[] = [];
  for (const { leaves } of batch) {
    for (const leave of leaves) if (leave.state !== 'heard') pending.push(leave);
  }
  return pending;
}

/** Waits for every answer before it fails: nothing of this attempt is under way when the next one begins. */
function tellStores(
  batch: Batch<Departure>,
  leaves: readonly PendingLeave[],
  services: Needs,
): MaybePromise<void> {
  const failures: unknown[] = [];
  const note = (error: unknown): void => {
    failures.push(error);
  };
  const answers = [
    recover(() => leave(leaves, services), note),
    recover(() => signOut(batch, services), note),
    recover(() => releaseQuota(batch, services), note),
  ].filter(isPromise);
  const answered = answers.length === 0 ? undefined : Promise.all(answers);
  return andThen(answered, () => {
    if (failures.length > 0) throw failures[0];
  });
}

function leave(leaves: readonly PendingLeave[], services: Needs): MaybePromise<void> {
  if (leaves.length === 0) return undefined;
  services.subscriptions.carry(leaves);
  const giveBack = (error: unknown): never => {
    services.subscriptions.giveBack(leaves);
    throw error;
  };
  return andThen(
    recover(() => services.membership.apply(leaves.map(toLeave)), giveBack),
    (results) => finishLeaves(services, leaves, results),
  );
}

function signOut(batch: Batch<Departure>, { users, telemetry }: Needs): MaybePromise<void> {
  const signedIn = batch.filter(({ userId }) => userId !== undefined);
  const signOuts = signedIn.flatMap(({ userId, departed: { connection } }) =>
    userId === undefined
      ? []
      : [{ kind: 'sign-out' as const, appId: connection.app.id, userId, socketId: connection.socketId }],
  );
  if (signOuts.length === 0) return undefined;
  return andThen(users.apply(signOuts), () => {
    for (const departure of signedIn) departure.userId = undefined;
    for (const { appId, userId, socketId } of signOuts)
      telemetry.emit('user.signed-out', { appId, userId, socketId });
  });
}

function releaseQuota(batch: Batch<Departure>, { quota }: Needs): MaybePromise<void> {
  const counted = batch.filter(({ holdsQuota }) => holdsQuota);
  if (counted.length === 0) return undefined;
  return andThen(quota.release(batch[0].departed.connection.app.id, counted.length), () => {
    for (const departure of counted) departure.holdsQuota = false;
  });
}
