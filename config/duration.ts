const unitsInMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The longest duration that a setting may have: a year. */
export const maxDurationMs = 365 * unitsInMs.d;

const wholeText = /^(?:\d+(?:ms|[smhd]))+$/;
const onePart = /(\d+)(ms|[smhd])/g;

/**
 * Reads a duration such as "24h", "1h30m" or "500ms" and returns milliseconds.
 * Units are ms, s, m, h and d; each part is a whole number. Throws a RangeError that says what is wrong.
 */
export function parseDuration(text: string): number {
  if (!wholeText.test(text)) {
    throw new RangeError(`expected a duration such as "24h", "1h30m" or "500ms" (units: ms, s, m, h, d)`);
  }
  let total = 0;
  for (const [, amount, unit] of text.matchAll(onePart)) {
    total += Number(amount) * unitsInMs[unit as keyof typeof unitsInMs];
  }
  if (total > maxDurationMs) {
    throw new RangeError('expected a duration of at most 365d');
  }
  return total;
}

/** Whether `parseDuration` accepts the text. */
export function isDuration(text: string): boolean {
  try {
    parseDuration(text);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
