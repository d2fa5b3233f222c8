import type { PendingLeave } from '../../channels/subscription.ts';
import type { ChangeResult, Leave } from '../../membership/membership-store.ts';
import type { Services } from '../services.ts';

/** A leave as the membership store takes it. */
export function toLeave({ channel, socketId, incarnation }: PendingLeave): Leave {
  const { app, name } = channel;
  return {
    kind: 'leave',
    appId: app.id,
    channel: name.name,
    socketId,
    incarnation,
    counted: app.config.subscriptionCount && name.kind !== 'presence',
  };
}

/**
 * The store has answered these leaves, in this order: nothing on this node waits for them any more. A leave that two calls
 * carried is answered twice: the later call finds nothing to do.
 */
export function finishLeaves(
  { subscriptions, telemetry }: Pick<Services, 'subscriptions' | 'telemetry'>,
  leaves: readonly PendingLeave[],
  results: readonly ChangeResult[],
): void {
  const tellsEach = telemetry.isEnabled('subscription.closed');
  leaves.forEach((leave, index) => {
    const isFirstAnswer = tellsEach && leave.state !== 'heard';
    subscriptions.forgetLeave(leave);
    const result = results[index];
    const isVacated = result?.kind === 'left' && result.vacated;
    if (!isVacated && !isFirstAnswer) return;
    const fields = { appId: leave.channel.app.id, channel: leave.channel.name.name };
    if (isVacated) telemetry.emit('channel.vacated', fields);
    if (isFirstAnswer) telemetry.emit('subscription.closed', { ...fields, socketId: leave.socketId });
  });
}
