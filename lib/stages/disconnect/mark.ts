import { defineStage } from '../define-stage.ts';
import type { Departed, Departure } from '../events.ts';
import { DROP, type Drop } from '../stage.ts';

/**
 * The first cause wins; whatever else ends the same connection is ignored. From here on joins are refused and nothing is
 * delivered: the connection leaves this node's sets at once, however long the stores take.
 */
export const mark = defineStage({
  name: 'mark',
  needs: ['connections', 'fanout', 'signedIn', 'subscriptions', 'watchlists'],
  map: (departed: Departed, context): Departure | Drop => {
    const { connection } = departed;
    context.fanout.flushOverdue();
    if (connection.closing) return DROP;
    if (departed.kind === 'unsubscribe') {
      const subscription = connection.subscriptions.get(departed.channel);
      if (subscription === undefined) return DROP;
      context.fanout.catchUp(connection);
      // A slow reader ends with what it was sent, and this subscription with it.
      if (subscription !== connection.subscriptions.get(departed.channel)) return DROP;
      const leaves = [context.subscriptions.end(subscription)];
      return { departed, leaves, userId: undefined, holdsQuota: false };
    }
    connection.closing = true;
    context.connections.remove(connection);
    const userId = connection.user?.id;
    if (userId !== undefined) context.signedIn.remove(userId, connection);
    context.watchlists.unwatch(connection);
    return { departed, leaves: context.subscriptions.endAll(connection), userId, holdsQuota: true };
  },
});
