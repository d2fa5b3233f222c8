import type { Connection } from '../../channels/connection.ts';
import type { Fanout } from '../../channels/fanout.ts';
import type { SpillwayError } from '../../errors/spillway-error.ts';
import { closeReason } from '../../protocol/close-codes.ts';
import { errorMessage } from '../../protocol/server-messages.ts';
import type { Departed, DisconnectCause } from '../events.ts';

/** Ends a connection: the error as a frame, then the close code (protocol.md 1.4), then everything a departure is. */
export type Disconnect = (connection: Connection, cause: DisconnectCause, error: SpillwayError) => void;

/** A close code for errors that name none: the client comes back at once. */
const genericReconnect = 4200;

export function createDisconnect(fanout: Fanout, departures: { next(departed: Departed): void }): Disconnect {
  return (connection, cause, error) => {
    if (connection.closing) return;
    const closeCode = error.entry.closes ?? genericReconnect;
    // A slow reader has no room for anything more.
    if (cause !== 'slow') fanout.reply(connection, errorMessage(error.message, closeCode));
    departures.next({ kind: 'connection', connection, cause, closeCode });
    connection.transport.close(closeCode, closeReason(error.message));
  };
}
