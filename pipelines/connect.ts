import { admit } from '../lib/stages/connect/admit.ts';
import { establish } from '../lib/stages/connect/establish.ts';
import { greet } from '../lib/stages/connect/greet.ts';
import { takeQuota } from '../lib/stages/connect/take-quota.ts';
import { turnAway } from '../lib/stages/connect/turn-away.ts';
import type { ConnectionAttempted } from '../lib/stages/events.ts';
import { pipeline } from '../lib/stages/pipeline.ts';

/** A client opens a WebSocket: it is admitted, counted, given a socket id and greeted, or told why not. */
export const connect = pipeline<ConnectionAttempted, ConnectionAttempted>('connect')
  .inOrder('connectionLanes', ({ transport }: ConnectionAttempted) => transport)
  .to(admit)
  .slot('connect:admitted')
  .to(takeQuota)
  .to(establish)
  .to(greet)
  .slot('connect:established')
  .refused(turnAway);
