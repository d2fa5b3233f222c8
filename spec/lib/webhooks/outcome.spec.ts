import { describe, expect, test } from '@jest/globals';
import { outcomeOf } from '../../../lib/webhooks/outcome.ts';

const answered = (status: number) => ({ kind: 'answered', status }) as const;

describe('the outcome of an attempt', () => {
  test.each([
    ['taken', [200, 201, 202, 204, 206, 299]],
    ['refused', [400, 401, 403, 404, 405, 411, 413, 415, 422, 451, 499]],
    ['gone', [410]],
    ['failed', [300, 301, 302, 303, 304, 307, 308, 399]],
    ['failed', [408, 409, 425, 429]],
    ['failed', [500, 501, 502, 503, 504, 599, 600, 199]],
  ])('is %s for %j', (outcome, statuses) => {
    expect(statuses.map((status) => outcomeOf(answered(status)).outcome)).toEqual(
      statuses.map(() => outcome),
    );
  });

  test('is failed without an answer, for the reason that was given', () => {
    expect(outcomeOf({ kind: 'failed', reason: 'no answer within 4000 ms' })).toEqual({
      outcome: 'failed',
      reason: 'no answer within 4000 ms',
    });
  });

  test('is told by the status, and for a redirect that nobody follows it', () => {
    expect(outcomeOf(answered(503)).reason).toBe('503');
    expect(outcomeOf(answered(302)).reason).toBe('302, a redirect, which is not followed');
  });
});
