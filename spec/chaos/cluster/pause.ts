/** The pace of a trial: of its load, of its faults, and of how often is looked whether all agree. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Asks again and again until there are no problems; answers the last ones when there still are some after that time. */
export async function untilNone(
  problems: () => readonly string[] | Promise<readonly string[]>,
  withinMs: number,
  everyMs = 50,
): Promise<readonly string[]> {
  const startedMs = performance.now();
  for (;;) {
    const found = await problems();
    if (found.length === 0 || performance.now() - startedMs > withinMs) return found;
    await pause(everyMs);
  }
}
