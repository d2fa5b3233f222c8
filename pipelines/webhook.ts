import type { LaneTurn } from '../lib/stages/events.ts';
import { pipeline } from '../lib/stages/pipeline.ts';
import { choose } from '../lib/stages/webhook/choose.ts';
import { postpone } from '../lib/stages/webhook/postpone.ts';
import { read } from '../lib/stages/webhook/read.ts';
import { record } from '../lib/stages/webhook/record.ts';

/** A lane has its turn: its events are read, those the endpoint takes are made a batch, and the batch is recorded, once. */
export const webhook = pipeline<LaneTurn, LaneTurn>('webhook')
  .to(read)
  .to(choose)
  .slot('webhook:ready')
  .to(record)
  .refused(postpone);
