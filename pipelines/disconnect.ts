import { closedConnections } from '../lib/stages/disconnect/closed-connections.ts';
import { mark } from '../lib/stages/disconnect/mark.ts';
import { nobodyToAnswer, record } from '../lib/stages/disconnect/record.ts';
import { settle } from '../lib/stages/disconnect/settle.ts';
import type { Departed } from '../lib/stages/events.ts';
import { pipeline } from '../lib/stages/pipeline.ts';

/** A connection ends, for whatever cause, or leaves one channel: once, at once for others, and in batches for the stores. */
export const disconnect = pipeline<unknown, Departed>('disconnect')
  .to(mark)
  .to(settle)
  .to(closedConnections)
  .slot('disconnect:settled')
  .to(record)
  .refused(nobodyToAnswer);
