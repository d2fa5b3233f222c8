import { acknowledge } from '../lib/stages/delivery/acknowledge.ts';
import { deliver } from '../lib/stages/delivery/deliver.ts';
import { sign } from '../lib/stages/delivery/sign.ts';
import type { DueBatch, LaneTurn } from '../lib/stages/events.ts';
import { pipeline } from '../lib/stages/pipeline.ts';
import { postpone } from '../lib/stages/webhook/postpone.ts';

/** A recorded batch is sent, for the first time or again, until its endpoint takes it. */
export const delivery = pipeline<LaneTurn, DueBatch>('delivery')
  .to(sign)
  .to(deliver)
  .to(acknowledge)
  .refused(postpone);
