import { SpillwayError } from '../../errors/spillway-error.ts';
import { defineStage } from '../define-stage.ts';
import type { MessageOpened, MessageReceived } from '../events.ts';
import { DROP, type Drop } from '../stage.ts';

/** From the wire to the connection on it. Frames of a connection that was turned away or is closing are nobody's. */
export const open = defineStage({
  name: 'open',
  map: ({ transport, frame }: MessageReceived): MessageOpened | Drop => {
    const { connection } = transport;
    if (connection === undefined || connection.closing) return DROP;
    if (typeof frame === 'number') throw new SpillwayError('message.binary');
    return { connection, frame };
  },
});
