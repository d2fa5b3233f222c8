import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { events } from '../../lib/telemetry/events.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const pages = ['docs/queues.md', 'docs/cluster.md'].map((path) => readFileSync(path, 'utf8')).join('\n');

/** The words of the pages in backquotes that match. */
function namesOnPages(pattern: RegExp): readonly string[] {
  return [...new Set([...pages.matchAll(pattern)].map((match) => match[1] ?? ''))];
}

describe('docs/queues.md and docs/cluster.md', () => {
  /** In memory, and beside Redis. */
  let servers: readonly TestServer[];
  let redis: RedisServer;
  let metrics: string;
  beforeAll(async () => {
    redis = await startRedis();
    const app = { webhooks: [{ url: 'http://127.0.0.1:9/' }] };
    const config = { redis: { url: redis.url } };
    servers = [await startTestServer({ app }), await startTestServer({ app, config })];
    const answers = servers.map(async ({ adminPort }) => {
      const answer = await fetch(`http://127.0.0.1:${adminPort}/metrics`);
      return answer.text();
    });
    metrics = (await Promise.all(answers)).join('\n');
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()));
    await redis.stop();
  });

  it.each(namesOnPages(/`(spillway_(?!coalesced`)[a-z_]+)/g))('name a metric that is there: %s', (name) => {
    expect(metrics).toMatch(new RegExp(`^# TYPE ${name} `, 'm'));
  });

  it.each(
    namesOnPages(
      /`((?:cleanup|fanout|outbox|webhook|connection|stage|log|redis|cluster|bus|store)\.[a-zA-Z-]+)`/g,
    ),
  )('name an event or a setting that is there: %s', (name) => {
    const isSetting = readFileSync('docs/configuration.md', 'utf8').includes(`\`${name}\``);
    expect(isSetting || Object.hasOwn(events, name)).toBe(true);
  });
});
