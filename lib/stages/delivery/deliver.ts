import { firstValueFrom, from, of, timeout } from 'rxjs';
import type { PostResult } from '../../webhooks/post.ts';
import type { DueBatch } from '../../webhooks/turn.ts';
import { defineStage } from '../define-stage.ts';
import type { SignedBatch } from './sign.ts';

/** A batch and what its endpoint said; `withheld`: it was not asked, for the lane is another node's now. */
export interface AnsweredBatch extends DueBatch {
  readonly result: PostResult | { readonly kind: 'withheld' };
}

/** Requests end by themselves after `webhooks.timeoutMs`; this much later one that did not has failed. */
const graceMs = 1_000;

/**
 * One request, through the breaker of its endpoint. The slots of the schedule are the concurrency: nothing waits here.
 * Whether the lane is still this node's is asked in the very step that sends: a process that was stopped for a while and
 * goes on sends nothing that others may have sent since (R5).
 */
export const deliver = defineStage({
  name: 'deliver',
  needs: ['config', 'endpoints', 'outbox', 'post', 'schedule'],
  effect: async (signed: SignedBatch, { config, outbox, post, schedule }): Promise<AnsweredBatch> => {
    const { headers, ...due } = signed;
    if (!outbox.begin(due.lane)) return { ...due, result: { kind: 'withheld' } };
    const limitMs = config.webhooks.timeoutMs + graceMs;
    const send = (): Promise<PostResult> => inTime(post(due.endpoint, headers, due.batch.body), limitMs);
    return { ...due, result: await schedule.attempt(due, send) };
  },
  limits: ({ config, endpoints }) => ({
    concurrency: Math.max(1, endpoints.all().length) * config.webhooks.concurrency,
    timeoutMs: config.webhooks.timeoutMs + 2 * graceMs,
    queue: { capacity: 1, overflow: 'reject' },
  }),
});

/** The breaker waits for its probe: every request has an end. */
function inTime(result: Promise<PostResult>, limitMs: number): Promise<PostResult> {
  const late: PostResult = { kind: 'failed', reason: `no answer within ${limitMs} ms` };
  return firstValueFrom(from(result).pipe(timeout({ first: limitMs, with: () => of(late) })));
}
