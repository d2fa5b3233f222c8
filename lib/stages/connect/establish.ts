import { Connection } from '../../channels/connection.ts';
import type { ConnectionRegistry } from '../../channels/connection-registry.ts';
import { createSocketId } from '../../protocol/socket-id.ts';
import { defineStage } from '../define-stage.ts';
import type { ConnectionAdmitted, ConnectionEstablished } from '../events.ts';
import { DROP, type Drop } from '../stage.ts';

/** Makes the connection and gives it its socket id. A wire that ended while the quota was asked gets none. */
export const establish = defineStage({
  name: 'establish',
  needs: ['connections', 'fanout', 'quota', 'telemetry', 'clock'],
  map: (admitted: ConnectionAdmitted, context): ConnectionEstablished | Drop => {
    const { transport, request, app } = admitted;
    const { connections, fanout, telemetry } = context;
    fanout.flushOverdue();
    if (!transport.isOpen) {
      void context.quota.release(app.id, 1);
      return DROP;
    }
    const connection = new Connection(unusedSocketId(connections), app, transport, context.clock.now());
    transport.connection = connection;
    connections.add(connection);
    telemetry.emit('connection.opened', {
      appId: app.id,
      socketId: connection.socketId,
      remoteAddress: transport.remoteAddress,
      protocol: request.protocol === undefined ? undefined : Number(request.protocol),
      client: request.client,
    });
    return { transport, request, connection };
  },
});

function unusedSocketId(connections: ConnectionRegistry): string {
  for (;;) {
    const socketId = createSocketId();
    if (!connections.has(socketId)) return socketId;
  }
}
