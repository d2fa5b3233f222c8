import { describe, expect, jest, test } from '@jest/globals';
import type { ClientSocket } from '../../../lib/edge/client-socket.ts';
import { checkAlive, sweepEveryMs } from '../../../lib/edge/heartbeat.ts';

const limits = { activityTimeoutMs: 120_000, pongTimeoutMs: 30_000 };

/** What a look at a socket needs of it. */
function socket(own: Partial<Pick<ClientSocket, 'isOpen' | 'isPaused' | 'lastSeenMs' | 'pingedAtMs'>> = {}) {
  const ping = jest.fn();
  const seen = jest.fn(function (this: { lastSeenMs: number; pingedAtMs: number }) {
    Object.assign(this, { lastSeenMs: 500_000, pingedAtMs: 0 });
  });
  const fake = { isOpen: true, isPaused: false, lastSeenMs: 1_000, pingedAtMs: 0, ping, seen, ...own };
  return { ping, socket: fake as unknown as ClientSocket };
}

describe('a look at a socket', () => {
  test('that was heard of lately does nothing', () => {
    const { socket: one, ping } = socket();
    expect([checkAlive(one, limits, 120_999), ping.mock.calls.length]).toEqual([true, 0]);
  });

  test('that was silent for the activity timeout sends one ping', () => {
    const { socket: one, ping } = socket();
    checkAlive(one, limits, 121_000);
    checkAlive(one, limits, 122_000);
    expect([one.pingedAtMs, ping.mock.calls.length]).toEqual([121_000, 1]);
  });

  test('that was sent a ping waits for the answer', () => {
    const { socket: one } = socket({ pingedAtMs: 121_000 });
    expect(checkAlive(one, limits, 150_999)).toBe(true);
  });

  test('that did not answer its ping in time finds it dead', () => {
    const { socket: one } = socket({ pingedAtMs: 121_000 });
    expect(checkAlive(one, limits, 151_000)).toBe(false);
  });

  test('that this server does not read never finds it dead', () => {
    const { socket: one, ping } = socket({ isPaused: true, pingedAtMs: 121_000 });
    expect([checkAlive(one, limits, 500_000), ping.mock.calls.length]).toEqual([true, 0]);
  });

  test('that is closing sends no ping', () => {
    const { socket: one, ping } = socket({ isOpen: false });
    checkAlive(one, limits, 500_000);
    expect(ping).not.toHaveBeenCalled();
  });
});

describe('the looks come', () => {
  test.each([
    [{ activityTimeoutMs: 120_000, pongTimeoutMs: 30_000 }, 1_000],
    [{ activityTimeoutMs: 120_000, pongTimeoutMs: 2_000 }, 500],
    [{ activityTimeoutMs: 1_000, pongTimeoutMs: 30_000 }, 250],
    [{ activityTimeoutMs: 100, pongTimeoutMs: 100 }, 100],
  ])('often enough for the shorter timeout: %j', (own, everyMs) => {
    expect(sweepEveryMs(own)).toBe(everyMs);
  });
});
