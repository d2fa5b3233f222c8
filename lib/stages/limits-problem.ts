const overflows = {
  effect: ['drop-newest', 'drop-oldest', 'reject'],
  // What a stream holds is inside the operator, out of reach: the oldest cannot be dropped.
  stream: ['drop-newest', 'reject'],
} as const;

/**
 * What is wrong with the limits of a stage that takes time, for those who read it; undefined when nothing is. Stages are
 * loaded without a type check, and a limit that is not there would be a queue that never moves.
 */
export function limitsProblem(kind: 'effect' | 'stream', limits: unknown): string | undefined {
  const given = fieldsOf(limits);
  if (given === undefined) return `limits are missing: write ${example[kind]}`;
  const queue = fieldsOf(given['queue']) ?? {};
  const words: readonly unknown[] = overflows[kind];
  const checks: readonly (readonly [isRight: boolean, what: string])[] = [
    ...(kind === 'effect'
      ? ([
          [isCount(given['concurrency']), 'limits.concurrency must be a whole number, 1 or more'],
          [isDuration(given['timeoutMs']), 'limits.timeoutMs must be milliseconds, more than 0'],
        ] as const)
      : ([[isDuration(given['maxHoldMs']), 'limits.maxHoldMs must be milliseconds, more than 0']] as const)),
    [isCount(queue['capacity']), 'limits.queue.capacity must be a whole number, 1 or more'],
    [words.includes(queue['overflow']), `limits.queue.overflow must be ${words.join(' or ')}`],
  ];
  return checks.find(([isRight]) => !isRight)?.[1];
}

const example = {
  effect: "limits: { concurrency: 4, timeoutMs: 2_000, queue: { capacity: 1_000, overflow: 'reject' } }",
  stream: "limits: { maxHoldMs: 5_000, queue: { capacity: 1_000, overflow: 'reject' } }",
} as const;

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null ? { ...value } : undefined;
}

function isCount(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 1;
}

function isDuration(value: unknown): boolean {
  return Number.isFinite(value) && Number(value) > 0;
}
