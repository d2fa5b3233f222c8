import { describe, expect, it } from '@jest/globals';
import { load, ownApp } from './config-files.ts';

function inactiveOf(overrides: Readonly<Record<string, unknown>>): readonly string[] {
  return load({ apps: [ownApp], ...overrides })
    .warnings.filter(({ code }) => code === 'config.inactive')
    .map(({ message }) => message);
}

describe('settings that do nothing yet', () => {
  it.each([
    [{ cluster: { leaseMs: 9000 } }, /^cluster is set, but redis is not: one node alone has no leases$/],
    [
      { redis: { url: 'redis://x' }, cluster: { sweepMs: 500 } },
      /^cluster\.sweepMs is set, but not used: expired leases are looked for when they run out$/,
    ],
    [
      { redis: { url: 'redis://x' }, webhooks: { spoolFile: '/tmp/spool' } },
      /^webhooks\.spoolFile is set, but not used: redis keeps what endpoints have not been told$/,
    ],
    [{ sessions: { ttl: '1h' } }, /^sessions is set, but this version keeps no sessions/],
  ])('are named when set: %j', (overrides, message) => {
    expect(inactiveOf(overrides)).toEqual([expect.stringMatching(message)]);
  });

  it.each([
    [{}],
    [{ preset: 'high-throughput' }],
    [{ server: { workers: 2 }, redis: { url: 'redis://x' } }],
    [{ apps: [{ ...ownApp, webhooks: [{ url: 'https://x' }] }] }],
    [{ cluster: { partitions: 4 } }],
    [{ redis: { url: 'redis://x' } }],
    [{ redis: { url: 'redis://x' }, cluster: { leaseMs: 9000 } }],
    [{ cleanup: { announceWindowMs: 10 } }],
  ])('are not named when not asked for: %j', (overrides) => {
    expect(inactiveOf(overrides)).toEqual([]);
  });
});

describe('webhooks without a spool file', () => {
  const webhooks = [{ url: 'https://x' }];
  const codesOf = (overrides: Readonly<Record<string, unknown>>): readonly string[] =>
    load(overrides).warnings.map(({ code }) => code);

  it('are warned about without Redis: what is not delivered at a stop is lost', () => {
    expect(codesOf({ apps: [{ ...ownApp, webhooks }] })).toEqual(['config.no-spool']);
  });

  it.each([
    [{ apps: [ownApp] }],
    [{ apps: [{ ...ownApp, webhooks }], webhooks: { spoolFile: '/tmp/spool' } }],
    [{ apps: [{ ...ownApp, webhooks }], redis: { url: 'redis://x' } }],
  ])('are not the case in %j', (overrides) => {
    expect(codesOf(overrides)).toEqual([]);
  });
});
