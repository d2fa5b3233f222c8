import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { events } from '../../lib/telemetry/events.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const page = readFileSync('docs/queues.md', 'utf8');

/** The words of the page in backquotes that match. */
function namesOnPage(pattern: RegExp): readonly string[] {
  return [...new Set([...page.matchAll(pattern)].map((match) => match[1] ?? ''))];
}

describe('docs/queues.md', () => {
  let server: TestServer;
  let metrics: string;
  beforeAll(async () => {
    server = await startTestServer({ app: { webhooks: [{ url: 'http://127.0.0.1:9/' }] } });
    metrics = await (await fetch(`http://127.0.0.1:${server.adminPort}/metrics`)).text();
  });
  afterAll(() => server.stop());

  it.each(namesOnPage(/`(spillway_(?!coalesced`)[a-z_]+)/g))('names a metric that is there: %s', (name) => {
    expect(metrics).toMatch(new RegExp(`^# TYPE ${name} `, 'm'));
  });

  it.each(namesOnPage(/`((?:cleanup|fanout|outbox|webhook|connection|stage|log)\.[a-z-]+)`/g))(
    'names an event or a setting that is there: %s',
    (name) => {
      const isSetting = readFileSync('docs/configuration.md', 'utf8').includes(`\`${name}\``);
      expect(isSetting || Object.hasOwn(events, name)).toBe(true);
    },
  );
});
