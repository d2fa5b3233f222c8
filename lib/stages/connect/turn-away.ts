import type { Config } from '../../../config/schema.ts';
import type { SpillwayError } from '../../errors/spillway-error.ts';
import { closeReason } from '../../protocol/close-codes.ts';
import { errorMessage } from '../../protocol/server-messages.ts';
import { encodeTextFrame } from '../../protocol/websocket-frame.ts';
import type { ConnectionAdmitted, ConnectionAttempted } from '../events.ts';
import { errorExit } from '../pipeline.ts';

/** Error exit of connect: the reason as a frame, because browsers see no HTTP status, then the close code (protocol.md 1.1, 1.4). */
export const turnAway = errorExit(
  ['config', 'telemetry'],
  (error, attempt: ConnectionAttempted | ConnectionAdmitted, { config, telemetry }) => {
    const { transport } = attempt;
    const closeCode = closeCodeOf(error, config);
    transport.write(encodeTextFrame(errorMessage(error.message, closeCode)));
    transport.close(closeCode, closeReason(error.message));
    telemetry.emit('connection.refused', {
      appId: 'app' in attempt ? attempt.app.id : undefined,
      code: error.code,
      closeCode,
      remoteAddress: transport.remoteAddress,
    });
  },
);

/** What an unforeseen failure closes with: stock clients come back after a second, not at once and for ever. */
const tryAgain = 4100;

function closeCodeOf({ code, details, entry }: SpillwayError, config: Config): number {
  if (code === 'connection.over-quota') return config.server.overCapacityCode;
  const chosen = details['closeCode'];
  return typeof chosen === 'number' && isCloseCode(chosen) ? chosen : (entry.closes ?? tryAgain);
}

/** 43xx would stop stock clients for ever (protocol.md 1.4). */
function isCloseCode(code: number): boolean {
  return Number.isInteger(code) && code >= 4000 && code < 4300;
}
