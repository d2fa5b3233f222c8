import { describe, expect, it } from '@jest/globals';
import { load, ownApp } from './config-files.ts';

function inactiveOf(overrides: Readonly<Record<string, unknown>>): readonly string[] {
  return load({ apps: [ownApp], ...overrides })
    .warnings.filter(({ code }) => code === 'config.inactive')
    .map(({ message }) => message);
}

describe('settings that do nothing yet', () => {
  it.each([
    [
      { redis: { url: 'redis://x' } },
      /^redis is set, but this version keeps its state in memory: run one node only$/,
    ],
    [{ cluster: { leaseMs: 9000 } }, /^cluster is set, but /],
    [{ webhooks: { graceMs: 1 } }, /^webhooks are configured, but this version does not send them/],
    [{ apps: [{ ...ownApp, webhooks: [{ url: 'https://x' }] }] }, /^webhooks are configured, but /],
    [{ server: { workers: 2 } }, /^server\.workers is set, but this version runs one process/],
    [{ sessions: { ttl: '1h' } }, /^sessions is set, but this version keeps no sessions/],
  ])('are named when set: %j', (overrides, message) => {
    expect(inactiveOf(overrides)).toEqual([expect.stringMatching(message)]);
  });

  it.each([
    [{}],
    [{ preset: 'high-throughput' }],
    [{ server: { workers: 1 } }],
    [{ apps: [{ ...ownApp, webhooks: [] }] }],
  ])('are not named when not asked for: %j', (overrides) => {
    expect(inactiveOf(overrides)).toEqual([]);
  });
});
