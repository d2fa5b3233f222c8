import { ClientEventReader } from '../../protocol/client-event-reader.ts';
import { type ClientMessage, decodeClientMessage } from '../../protocol/client-messages.ts';
import { defineStage } from '../define-stage.ts';
import type { MessageDecoded, MessageOpened } from '../events.ts';

const clientEvents = new ClientEventReader();

/** From bytes to one of the messages a client may send (protocol.md 2). */
export const decode = defineStage({
  name: 'decode',
  needs: ['config', 'telemetry'],
  map: ({ connection, frame }: MessageOpened, { config, telemetry }): MessageDecoded => {
    const message = (config.server.fastPaths ? clientEvents.read(frame) : undefined) ?? decodeText(frame);
    if (telemetry.isEnabled('message.received')) {
      const { app, socketId } = connection;
      const { kind } = message;
      telemetry.emit('message.received', { appId: app.id, socketId, kind, bytes: frame.length });
    }
    return { connection, message };
  },
});

function decodeText(frame: Buffer): ClientMessage {
  return decodeClientMessage(frame.toString('utf8'));
}
