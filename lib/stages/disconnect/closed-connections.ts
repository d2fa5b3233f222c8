import type { Batch } from '../../flow/fair-batches.ts';
import { defineStage } from '../define-stage.ts';
import type { ConnectionSettled, Departure } from '../events.ts';

/** The connections of a settled batch, one by one; an unsubscribe ends no connection. */
export const closedConnections = defineStage({
  name: 'closed-connections',
  needs: ['clock'],
  split: (batch: Batch<Departure>, { clock }): readonly ConnectionSettled[] =>
    batch.flatMap(({ departed, leaves }) => {
      if (departed.kind !== 'connection') return [];
      const { connection, cause, closeCode } = departed;
      const durationMs = clock.now() - connection.openedAtMs;
      return [{ connection, cause, closeCode, subscriptions: leaves.length, durationMs }];
    }),
});
