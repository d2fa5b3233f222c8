import { connectionEstablished } from '../../protocol/server-messages.ts';
import { defineStage } from '../define-stage.ts';
import type { ConnectionEstablished } from '../events.ts';

/** The first frame a client sees (protocol.md 1.2). */
export const greet = defineStage({
  name: 'greet',
  needs: ['fanout', 'config'],
  map: (established: ConnectionEstablished, { fanout, config }): ConnectionEstablished => {
    const { connection } = established;
    fanout.reply(
      connection,
      connectionEstablished(connection.socketId, config.server.activityTimeoutSeconds),
    );
    return established;
  },
});
