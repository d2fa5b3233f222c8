import { signedHeaders } from '../../webhooks/signer.ts';
import type { DueBatch } from '../../webhooks/turn.ts';
import { defineStage } from '../define-stage.ts';

/** A batch with the headers of one attempt. */
export interface SignedBatch extends DueBatch {
  readonly headers: Readonly<Record<string, string>>;
}

/** Signs the recorded bytes with the keys of the endpoint they are for. */
export const sign = defineStage({
  name: 'sign',
  needs: ['clock'],
  map: (due: DueBatch, { clock }): SignedBatch => ({
    ...due,
    headers: signedHeaders(due.endpoint, due.batch, clock.now()),
  }),
});
