import { setTimeout as wait } from 'node:timers/promises';

/** Does the work; after so long without an end of it, fails. The work itself goes on. */
export async function within<T>(limitMs: number, work: () => Promise<T>): Promise<T> {
  const patience = new AbortController();
  const late = wait(limitMs, undefined, { signal: patience.signal }).then(() => {
    throw new Error(`no end after ${limitMs} ms`);
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    patience.abort();
  }
}
