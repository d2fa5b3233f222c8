import { decodeClientMessage } from '../../protocol/client-messages.ts';
import { defineStage } from '../define-stage.ts';
import type { MessageDecoded, MessageOpened } from '../events.ts';

/** From text to one of the messages a client may send (protocol.md 2). */
export const decode = defineStage({
  name: 'decode',
  needs: ['telemetry'],
  map: ({ connection, text }: MessageOpened, { telemetry }): MessageDecoded => {
    const message = decodeClientMessage(text);
    if (telemetry.isEnabled('message.received')) {
      const { app, socketId } = connection;
      telemetry.emit('message.received', {
        appId: app.id,
        socketId,
        kind: message.kind,
        bytes: Buffer.byteLength(text),
      });
    }
    return { connection, message };
  },
});
