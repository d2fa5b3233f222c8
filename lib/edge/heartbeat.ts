import type { ClientSocket } from './client-socket.ts';

export interface HeartbeatLimits {
  readonly activityTimeoutMs: number;
  readonly pongTimeoutMs: number;
}

/**
 * One look at a socket: one that has been silent for the activity timeout is sent a protocol ping, because only that is
 * answered by every client (protocol.md 1.3). Answers false when a ping stayed unanswered for too long.
 */
export function checkAlive(
  socket: ClientSocket,
  { activityTimeoutMs, pongTimeoutMs }: HeartbeatLimits,
  nowMs: number,
): boolean {
  // A socket that this server does not read cannot show a sign of life; it is looked at again once it is read.
  if (socket.isPaused) socket.seen();
  if (socket.pingedAtMs > 0) return nowMs - socket.pingedAtMs < pongTimeoutMs;
  if (nowMs - socket.lastSeenMs >= activityTimeoutMs && socket.isOpen) {
    socket.pingedAtMs = nowMs;
    socket.ping();
  }
  return true;
}

/** How often to look, in milliseconds: often enough for the shorter timeout, at most every 100 ms. */
export function sweepEveryMs({ activityTimeoutMs, pongTimeoutMs }: HeartbeatLimits): number {
  return Math.min(1_000, Math.max(100, Math.min(activityTimeoutMs, pongTimeoutMs) / 4));
}
