import { describe, expect, test } from '@jest/globals';
import { type Readiness, readyAnswer } from '../../../lib/telemetry/health.ts';
import { mergeReadiness } from '../../../lib/workers/merge-readiness.ts';

const well: Readiness = { ready: true, checks: { accepting: { ok: true }, redis: { ok: true } } };
const cutOff: Readiness = {
  ready: true,
  checks: { accepting: { ok: true }, redis: { ok: false, detail: 'away' } },
};
const draining: Readiness = { ready: false, checks: { accepting: { ok: false } } };

const merged = (expected: number, ...answers: readonly (Readiness | undefined)[]): Readiness =>
  mergeReadiness(
    expected,
    answers.map((readiness, index) => ({ worker: index + 1, readiness })),
  );

describe('the readiness of all workers', () => {
  test('is ready when each is', () => {
    const readiness = merged(2, well, well);
    expect(readyAnswer(readiness)).toEqual({
      status: 200,
      body: {
        status: 'ready',
        checks: {
          workers: { ok: true, detail: '2 of 2 answer' },
          accepting: { ok: true },
          redis: { ok: true },
        },
      },
    });
  });

  test('is as bad as the worst, and says which that is', () => {
    const degraded = merged(2, well, cutOff);
    expect(readyAnswer(degraded)).toMatchObject({ status: 200, body: { status: 'degraded' } });
    expect(degraded.checks['redis']).toEqual({ ok: false, detail: 'worker 2: away' });
    const unready = merged(3, well, cutOff, draining);
    expect(readyAnswer(unready).status).toBe(503);
    expect(unready.checks['accepting']).toEqual({ ok: false, detail: 'worker 3' });
  });

  test.each([
    ['missing', [well]],
    ['silent', [well, undefined]],
  ])('is degraded while one is %s', (_, answers) => {
    const readiness = merged(2, ...answers);
    expect(readyAnswer(readiness)).toMatchObject({ status: 200, body: { status: 'degraded' } });
    expect(readiness.checks['workers']).toEqual({ ok: false, detail: '1 of 2 answer' });
  });

  test('is unready when none answers', () => {
    expect(readyAnswer(merged(2)).status).toBe(503);
    expect(readyAnswer(merged(2, undefined, undefined)).status).toBe(503);
  });
});
