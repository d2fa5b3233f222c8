import { describe, expect, test } from '@jest/globals';
import type { EndpointStatus } from '../../../lib/webhooks/schedule.ts';
import { mergeStatuses } from '../../../lib/workers/merge-statuses.ts';

function status(given: Partial<EndpointStatus>): EndpointStatus {
  return {
    appId: 'shop',
    endpointId: 'orders',
    state: 'closed',
    inFlight: 0,
    due: 0,
    waiting: 0,
    lastSuccessAtMs: undefined,
    lastFailure: undefined,
    ...given,
  };
}

describe('how endpoints do, over all workers', () => {
  test('is the worst state with its reason, sums, and the last success', () => {
    const one = status({ inFlight: 1, due: 2, waiting: 3, lastSuccessAtMs: 20, lastFailure: 'old' });
    const other = status({ state: 'open', inFlight: 10, due: 20, waiting: 30, lastFailure: '503' });
    const merged = {
      ...status({ state: 'open', inFlight: 11, due: 22, waiting: 33 }),
      lastSuccessAtMs: 20,
      lastFailure: '503',
    };
    expect(mergeStatuses([[one], [other]])).toEqual([merged]);
    expect(mergeStatuses([[other], [one]])).toEqual([merged]);
  });

  test('takes the later of two successes', () => {
    const both = mergeStatuses([[status({ lastSuccessAtMs: 5 })], [status({ lastSuccessAtMs: 9 })]]);
    expect(both).toMatchObject([{ lastSuccessAtMs: 9 }]);
  });

  test('keeps endpoints apart', () => {
    const names = [status({}), status({ endpointId: 'audit' }), status({ appId: 'chat' })];
    expect(mergeStatuses([names, names])).toHaveLength(3);
  });
});
