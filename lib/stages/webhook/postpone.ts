import type { SpillwayError } from '../../errors/spillway-error.ts';
import type { LaneTurn } from '../../webhooks/turn.ts';
import { errorExit } from '../pipeline.ts';

/** Error exit of webhook and delivery: the turn gives its slot back and the lane tries again later. Nothing is lost. */
export const postpone = errorExit(['schedule'], (error, turn: LaneTurn, { schedule }) => {
  if (error.code === 'redis.away') schedule.hold(turn);
  else schedule.postpone(turn, reasonOf(error));
});

/** What went wrong, without what becomes of items elsewhere. */
function reasonOf({ cause, details, message }: SpillwayError): string {
  return cause instanceof Error ? `stage ${details['stage'] ?? ''}: ${cause.message}` : message;
}
