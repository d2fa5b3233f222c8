import { describe, expect, test } from '@jest/globals';
import { toMetrics } from '../../../lib/telemetry/event-metrics.ts';
import { events } from '../../../lib/telemetry/events.ts';
import { Metrics } from '../../../lib/telemetry/metrics.ts';
import { Telemetry } from '../../../lib/telemetry/telemetry.ts';

function counting() {
  const metrics = new Metrics({ process: false });
  const telemetry = new Telemetry({ level: 'silent' });
  telemetry.events$.subscribe(toMetrics(metrics));
  return { metrics, telemetry };
}

/** The value of one line of the metrics text. */
async function valueOf(metrics: Metrics, series: string): Promise<number | undefined> {
  const line = (await metrics.text()).split('\n').find((text) => text.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length));
}

const closed = { appId: 'a', socketId: '1.1', closeCode: 4321, durationMs: 1, subscriptions: 2 };

describe('metrics from events', () => {
  test('count every event by name, whatever the log level', async () => {
    const { metrics, telemetry } = counting();
    expect(await valueOf(metrics, 'spillway_events_total{event="channel.occupied"}')).toBe(0);
    telemetry.emit('channel.occupied', { appId: 'a', channel: 'c' });
    telemetry.emit('channel.occupied', { appId: 'a', channel: 'd' });
    expect(await valueOf(metrics, 'spillway_events_total{event="channel.occupied"}')).toBe(2);
    expect(await valueOf(metrics, 'spillway_channels_occupied_total')).toBe(2);
  });

  test('do not count debug events: the numbers would depend on the log level', async () => {
    const { metrics, telemetry } = counting();
    telemetry.setLevel('debug');
    telemetry.emit('member.added', { appId: 'a', channel: 'c', userId: 'u' });
    expect(await metrics.text()).not.toContain('member.added');
  });

  test('count closed connections by cause, from zero', async () => {
    const { metrics, telemetry } = counting();
    expect(await valueOf(metrics, 'spillway_connections_closed_total{cause="slow"}')).toBe(0);
    telemetry.emit('connection.closed', { ...closed, cause: 'slow' });
    telemetry.emit('connection.closed', { ...closed, cause: 'client' });
    expect(await valueOf(metrics, 'spillway_connections_closed_total{cause="slow"}')).toBe(1);
  });

  test('count refusals by code and fallbacks by reason', async () => {
    const { metrics, telemetry } = counting();
    telemetry.emit('message.refused', { appId: 'a', socketId: '1.1', code: 'message.binary', event: 'x' });
    telemetry.emit('cleanup.fallback', { reason: 'queue-full', queued: 10 });
    expect(await valueOf(metrics, 'spillway_messages_refused_total{code="message.binary"}')).toBe(1);
    expect(await valueOf(metrics, 'spillway_cleanup_fallback_total{reason="queue-full"}')).toBe(1);
    expect(await valueOf(metrics, 'spillway_cleanup_fallback_total{reason="breaker-open"}')).toBe(0);
  });

  test('add up a field and observe a duration in seconds', async () => {
    const { metrics, telemetry } = counting();
    telemetry.emit('cleanup.flushed', { batchSize: 64, leaves: 300, durationMs: 250 });
    telemetry.emit('cleanup.flushed', { batchSize: 10, leaves: 20, durationMs: 250 });
    expect(await valueOf(metrics, 'spillway_cleanup_connections_total')).toBe(74);
    expect(await valueOf(metrics, 'spillway_cleanup_leaves_total')).toBe(320);
    expect(await valueOf(metrics, 'spillway_cleanup_duration_seconds_sum')).toBe(0.5);
    expect(await valueOf(metrics, 'spillway_cleanup_duration_seconds_count')).toBe(2);
  });

  test('never carry what a client sent', async () => {
    const { metrics, telemetry } = counting();
    telemetry.emit('connection.closed', { ...closed, socketId: 'needle', cause: 'client' });
    telemetry.emit('subscription.refused', {
      ...{ appId: 'needle', socketId: 'needle', channel: 'needle' },
      code: 'subscription.duplicate',
    });
    telemetry.emit('user.signed-in', { appId: 'a', socketId: '1.1', userId: 'needle' });
    const text = await metrics.text();
    expect(text).not.toContain('needle');
    expect(text).not.toContain('4321');
  });

  test('an event that cannot be counted is counted as that, and does not break the listener', async () => {
    const { metrics, telemetry } = counting();
    telemetry.emit('stage.overflow', { stage: 's', policy: 'drop-oldest', dropped: -1 });
    telemetry.emit('stage.overflow', { stage: 's', policy: 'drop-oldest', dropped: 2 });
    expect(await valueOf(metrics, 'spillway_telemetry_failures_total')).toBe(1);
    expect(await valueOf(metrics, 'spillway_stage_overflow_total{stage="s",policy="drop-oldest"}')).toBe(2);
  });

  test('name every event that is not debug', async () => {
    const { metrics } = counting();
    const text = await metrics.text();
    const loud = Object.entries(events).filter(([, entry]) => entry.level !== 'debug');
    for (const [name] of loud) expect(text).toContain(`spillway_events_total{event="${name}"} 0`);
  });
});

describe('metrics that are read', () => {
  test('a gauge shows the value of the moment', async () => {
    const metrics = new Metrics({ process: false });
    let depth = 3;
    metrics.registerGauge('spillway_queue_depth', 'Items that wait', () => depth);
    expect(await valueOf(metrics, 'spillway_queue_depth')).toBe(3);
    depth = 0;
    expect(await valueOf(metrics, 'spillway_queue_depth')).toBe(0);
  });

  test('a gauge with labels forgets those that are gone', async () => {
    const metrics = new Metrics({ process: false });
    let stages = ['a', 'b'];
    metrics.registerGauge('spillway_stage_depth', 'Items that wait for a stage', () =>
      stages.map((stage) => ({ labels: { stage }, value: 1 })),
    );
    expect(await valueOf(metrics, 'spillway_stage_depth{stage="b"}')).toBe(1);
    stages = ['a'];
    expect(await valueOf(metrics, 'spillway_stage_depth{stage="b"}')).toBeUndefined();
    stages = [];
    expect(await valueOf(metrics, 'spillway_stage_depth{stage="a"}')).toBeUndefined();
  });

  test('a counter shows a total that is kept elsewhere', async () => {
    const metrics = new Metrics({ process: false });
    const total = { in: 5, out: 4 };
    metrics.registerCounter('spillway_stage_items_total', 'Items', () =>
      Object.entries(total).map(([way, value]) => ({ labels: { way }, value })),
    );
    await metrics.text();
    total.in = 7;
    expect(await valueOf(metrics, 'spillway_stage_items_total{way="in"}')).toBe(7);
    expect(await metrics.text()).toContain('# TYPE spillway_stage_items_total counter');
  });

  test('readings may change their labels', async () => {
    const metrics = new Metrics({ process: false });
    let labels: Record<string, string> = { a: '1' };
    metrics.registerGauge('spillway_some', 'Some', () => [{ labels, value: 1 }]);
    await metrics.text();
    labels = { a: '1', b: '2' };
    expect(await valueOf(metrics, 'spillway_some{a="1",b="2"}')).toBe(1);
  });

  test('one reading that fails leaves the others, and is counted', async () => {
    const metrics = new Metrics({ process: false });
    metrics.registerGauge('spillway_broken', 'Broken', () => {
      throw new Error('broken');
    });
    metrics.registerGauge('spillway_whole', 'Whole', () => 1);
    expect(await valueOf(metrics, 'spillway_whole')).toBe(1);
    expect(await valueOf(metrics, 'spillway_metric_read_errors_total')).toBe(2);
  });

  test('a name is given once', () => {
    const metrics = new Metrics({ process: false });
    metrics.registerGauge('spillway_once', 'Once', () => 1);
    expect(() => metrics.registerCounter('spillway_once', 'Twice', () => 1)).toThrow(
      /spillway_once is registered twice/,
    );
  });

  test('the process is measured under the same prefix', async () => {
    const metrics = new Metrics();
    expect(await metrics.text()).toContain('spillway_process_resident_memory_bytes');
    expect(metrics.contentType).toContain('text/plain');
  });
});
