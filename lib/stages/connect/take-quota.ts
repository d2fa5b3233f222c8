import { SpillwayError } from '../../errors/spillway-error.ts';
import { andThen, type MaybePromise } from '../../flow/maybe-promise.ts';
import { defineStage } from '../define-stage.ts';
import type { ConnectionAdmitted } from '../events.ts';

/** Counts the connection against its app's cap. From here on a departure gives it back. */
export const takeQuota = defineStage({
  name: 'take-quota',
  needs: ['quota'],
  map: (attempt: ConnectionAdmitted, { quota }): MaybePromise<ConnectionAdmitted> => {
    const { id: appId, config } = attempt.app;
    const limit = config.maxConnections;
    return andThen(quota.acquire(appId, limit), (granted) => {
      if (!granted) throw new SpillwayError('connection.over-quota', { appId, limit });
      return attempt;
    });
  },
});
