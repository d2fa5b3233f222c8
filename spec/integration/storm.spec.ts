import { afterEach, describe, expect, it } from '@jest/globals';
import { LoadProcess } from '../../bench/support/load-process.ts';
import { occupied, pollMetrics, type Readings, readMetrics } from '../support/gauges.ts';
import { type ServerProcess, startServerProcess } from '../support/process.ts';
import { testApp } from '../support/server.ts';

/** 2,000 are enough for what is counted; `SPILLWAY_STORM=9500` is as many as one process may open. */
const socketCount = Number(process.env['SPILLWAY_STORM'] ?? 2_000);
const channelCount = 500;
const channelsPerSocket = 5;

let server: ServerProcess | undefined;
const loads: LoadProcess[] = [];
afterEach(async () => {
  await Promise.all(loads.splice(0).map((load) => load.kill()));
  await server?.stop();
});

function load(...args: ConstructorParameters<typeof LoadProcess>): LoadProcess {
  const started = new LoadProcess(...args);
  loads.push(started);
  return started;
}

describe(`${socketCount} sockets of another process, in ${channelCount} channels, gone at once`, () => {
  it.each(['end', 'reset', 'silent'] as const)(
    'by %s: one channel_vacated for each channel, nothing left, in batches',
    async (way) => {
      const receiver = load('receiver');
      const crowd = load('crowd');
      const { port: webhookPort } = await receiver.ask<{ port: number }>('listen');
      server = await startServerProcess({
        apps: [{ ...testApp, webhooks: [{ url: `http://127.0.0.1:${webhookPort}/` }] }],
        server: way === 'silent' ? { activityTimeoutSeconds: 2, pongTimeoutSeconds: 2 } : {},
        webhooks: { graceMs: 100 },
      });
      const { adminPort } = server;
      const isPassedOn = way === 'silent' ? load('proxy') : undefined;
      const front = await isPassedOn?.ask<{ port: number }>('listen', { target: server.port });

      await crowd.ask('open', {
        key: testApp.key,
        secret: testApp.secret,
        port: front?.port ?? server.port,
        protocol: 'pusher',
        count: socketCount,
        inFlight: 200,
        channelCount,
        channelsPerSocket,
        prefix: 'storm-',
      });
      expect(occupied(await readMetrics(adminPort))).toMatchObject({
        spillway_connections: socketCount,
        spillway_subscriptions: socketCount * channelsPerSocket,
        spillway_channels: channelCount,
      });
      expect(await told(receiver, 'channel_occupied')).toEqual({ channels: channelCount, repeats: 0 });

      await (isPassedOn === undefined ? crowd.ask('drop', { way }) : isPassedOn.ask('silence'));

      expect(await told(receiver, 'channel_vacated')).toEqual({ channels: channelCount, repeats: 0 });
      const after = await pollMetrics(adminPort, isEmpty, 400);
      expect(occupied(after)).toEqual({});
      // The queue takes 10,000: nothing had to be settled alone.
      expect(after.text).toContain('# TYPE spillway_cleanup_fallback_total counter');
      expect(after.byLabel('spillway_cleanup_fallback_total', 'reason')).toEqual(new Map());
      expect(after.value('spillway_cleanup_connections_total')).toBe(socketCount);
      expect(after.value('spillway_cleanup_leaves_total')).toBe(socketCount * channelsPerSocket);
      // Whatever was still under way has been told by now: the server delivers before it ends.
      expect(await server.stop()).toBe(0);
      expect(await told(receiver, 'channel_vacated')).toEqual({ channels: channelCount, repeats: 0 });
      const batchSizes = server.lines
        .filter(({ msg }) => msg === 'cleanup.flushed')
        .map((line) => Number(line['batchSize']));
      expect(batchSizes.length).toBeGreaterThan(0);
      expect(Math.max(...batchSizes)).toBeLessThanOrEqual(64);
      expect(server.lines.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
    },
    120_000,
  );
});

async function told(
  receiver: LoadProcess,
  name: string,
): Promise<{ readonly channels: number; readonly repeats: number }> {
  const { channels, repeats } = await receiver.ask<{ channels: number; repeats: number }>('until', {
    name,
    prefix: 'storm-',
    count: channelCount,
    timeoutMs: 30_000,
  });
  return { channels, repeats };
}

function isEmpty(now: Readings): boolean {
  return Object.keys(occupied(now)).length === 0;
}
