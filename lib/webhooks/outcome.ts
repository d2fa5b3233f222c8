import type { PostResult } from './post.ts';

/**
 * What an attempt came to. `taken`: the endpoint has the batch. `refused`: it is there and does not want this batch.
 * `gone`: it wants nothing any more. `failed`: anything else; the same batch may do well later.
 */
type Outcome = 'taken' | 'refused' | 'gone' | 'failed';

/** 4xx that speak of the moment, not of the batch. */
const passing: ReadonlySet<number> = new Set([408, 409, 425, 429]);

/** The outcome of an attempt, and for people what the endpoint answered or why it did not. */
export function outcomeOf(result: PostResult): { readonly outcome: Outcome; readonly reason: string } {
  if (result.kind === 'failed') return { outcome: 'failed', reason: result.reason };
  const { status } = result;
  return { outcome: outcomeOfStatus(status), reason: reasonOf(status) };
}

function outcomeOfStatus(status: number): Outcome {
  if (status >= 200 && status < 300) return 'taken';
  if (status === 410) return 'gone';
  if (status >= 400 && status < 500 && !passing.has(status)) return 'refused';
  return 'failed';
}

function reasonOf(status: number): string {
  return status >= 300 && status < 400 ? `${status}, a redirect, which is not followed` : String(status);
}
