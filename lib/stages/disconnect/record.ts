import { defineStage } from '../define-stage.ts';
import type { ConnectionSettled } from '../events.ts';
import { errorExit } from '../pipeline.ts';

/** The last line of a connection's story in the log. */
export const record = defineStage({
  name: 'record',
  needs: ['telemetry'],
  tap: ({ connection, cause, closeCode, subscriptions, durationMs }: ConnectionSettled, { telemetry }) => {
    const { app, socketId } = connection;
    telemetry.emit('connection.closed', {
      appId: app.id,
      socketId,
      cause,
      closeCode,
      durationMs,
      subscriptions,
    });
  },
});

/** Error exit of disconnect: there is nobody left to answer; the runner has told the log. */
export const nobodyToAnswer = errorExit([], () => undefined);
