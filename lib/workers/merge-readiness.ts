import type { Readiness } from '../telemetry/health.ts';

type Check = Readiness['checks'][string];

/** What one worker said of itself; undefined when it did not answer. */
export interface WorkerReadiness {
  readonly worker: number;
  readonly readiness: Readiness | undefined;
}

/**
 * The worst of all workers: each check holds when it holds in all of them, and names one in which it does not. A worker
 * that is missing or silent makes the whole degraded, not unready: the others go on taking connections. Those that were
 * told to go are not asked, for connections do not reach them.
 */
export function mergeReadiness(expected: number, answers: readonly WorkerReadiness[]): Readiness {
  const answered = answers.flatMap(({ worker, readiness }) =>
    readiness === undefined ? [] : [{ worker, readiness }],
  );
  const names = [...new Set(answered.flatMap(({ readiness }) => Object.keys(readiness.checks)))];
  const checks = names.map((name): readonly [string, Check] => {
    const failing = answered.find(({ readiness }) => readiness.checks[name]?.ok === false);
    if (failing === undefined) return [name, { ok: true }];
    const detail = failing.readiness.checks[name]?.detail;
    const where = `worker ${failing.worker}`;
    return [name, { ok: false, detail: detail === undefined ? where : `${where}: ${detail}` }];
  });
  return {
    ready: answered.length > 0 && answered.every(({ readiness }) => readiness.ready),
    checks: {
      workers: { ok: answered.length >= expected, detail: `${answered.length} of ${expected} answer` },
      ...Object.fromEntries(checks),
    },
  };
}
