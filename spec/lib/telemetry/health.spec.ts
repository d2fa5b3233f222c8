import { describe, expect, test } from '@jest/globals';
import { liveAnswer, readyAnswer } from '../../../lib/telemetry/health.ts';

describe('health answers', () => {
  test('live is always 200', () => {
    expect(liveAnswer()).toEqual({ status: 200, body: { status: 'live' } });
  });

  test('ready is 200 with every check', () => {
    const checks = { membership: { ok: true } };
    expect(readyAnswer({ ready: true, checks })).toEqual({ status: 200, body: { status: 'ready', checks } });
  });

  test('a part that is down while the server goes on is degraded, not unready', () => {
    const checks = { redis: { ok: false, detail: 'connection refused' }, membership: { ok: true } };
    expect(readyAnswer({ ready: true, checks })).toEqual({
      status: 200,
      body: { status: 'degraded', checks },
    });
  });

  test('not ready is 503', () => {
    const checks = { drain: { ok: false, detail: 'the server is stopping' } };
    expect(readyAnswer({ ready: false, checks })).toEqual({
      status: 503,
      body: { status: 'unready', checks },
    });
  });
});
