const firstMs = 1_000;
const longestMs = 30_000;
const longestWhileWellMs = 5_000;

/**
 * How long to wait after so many failures in a row, 1 or more: a random time (full jitter) up to a limit that doubles from
 * 1 s to 30 s, and to 5 s only for an endpoint that was well in the last 5 minutes. `random` is from 0 up to 1.
 */
export function backoffMs(failuresInARow: number, wasWellInLast5Min: boolean, random: () => number): number {
  const longest = wasWellInLast5Min ? longestWhileWellMs : longestMs;
  return Math.round(random() * Math.min(longest, firstMs * 2 ** (failuresInARow - 1)));
}
