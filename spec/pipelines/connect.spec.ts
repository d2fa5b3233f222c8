import { describe, expect, test } from '@jest/globals';
import { filter, map } from 'rxjs';
import type { RawObject } from '../../config/raw.ts';
import { defineStage } from '../../lib/stages/define-stage.ts';
import type { ConnectionAttempted, ConnectionRequest } from '../../lib/stages/events.ts';
import { runPipeline } from '../../lib/stages/runner.ts';
import { connect } from '../../pipelines/connect.ts';
import { marbles } from '../lib/flow/marbles.ts';
import { settled } from '../lib/flow/promises.ts';
import { RecordingTransport } from '../lib/recording-transport.ts';
import { specParts } from '../lib/spec-parts.ts';
import { promised } from '../lib/stages/event-run.ts';
import { otherApp } from '../support/server.ts';
import { request, runNode, storyOf } from './running-node.ts';

const events = { o: 'connection.opened', r: 'connection.refused' } as const;

/** Runs the pipeline in virtual time: what the log says of each attempt. */
function expectOutcomes(
  source: string,
  expected: string,
  attempts: Readonly<Record<string, string | undefined>>,
) {
  marbles(({ hot, expectObservable, flush }) => {
    const { parts } = specParts({ app: { maxConnections: 2 } });
    const values = Object.entries(attempts).map(([name, appKey]) => [
      name,
      { transport: new RecordingTransport(), request: { ...request, appKey } },
    ]);
    const attempts$ = hot(source, Object.fromEntries(values) as Record<string, ConnectionAttempted>);
    const outcomes$ = parts.telemetry.events$.pipe(
      filter(({ name }) => name.startsWith('connection.')),
      map(({ name }) => name),
    );
    expectObservable(outcomes$).toBe(expected, events);
    runPipeline(connect, attempts$, parts, { signal: new AbortController().signal });
    flush();
  });
}

/** Opens one wire with this request. */
function attempt(own: Partial<ConnectionRequest> = {}, app: RawObject = {}) {
  const { parts, log, connects$ } = runNode({ app });
  const transport = new RecordingTransport();
  connects$.next({ transport, request: { ...request, ...own } });
  return { parts, log, transport };
}

describe('the story of a connection', () => {
  test('is this one', () => {
    expect(storyOf(connect)).toEqual([
      'in order by connectionLanes',
      'admit',
      '[connect:admitted]',
      'take-quota',
      'establish',
      'greet',
      '[connect:established]',
    ]);
  });
});

describe('a connection attempt', () => {
  test('is answered at once', () => {
    const source = '   -a-b-c-';
    const expected = ' -o-r-o-';
    expectOutcomes(source, expected, { a: request.appKey, b: 'unknown', c: request.appKey });
  });

  test('beyond the quota of its app is refused, and another app is not', () => {
    const source = '   -a-b-c-d-';
    const expected = ' -o-o-r-o-';
    const { appKey } = request;
    expectOutcomes(source, expected, { a: appKey, b: appKey, c: appKey, d: otherApp.key });
  });

  test('is greeted with its socket id', () => {
    const { transport } = attempt();
    const data = JSON.stringify({ socket_id: transport.connection?.socketId, activity_timeout: 120 });
    expect(transport.frames).toEqual([JSON.stringify({ event: 'pusher:connection_established', data })]);
  });

  test('becomes a connection of the node', () => {
    const { parts, transport } = attempt();
    expect([...parts.connections.all()]).toEqual([transport.connection]);
  });
});

describe('a client is turned away', () => {
  test.each<[string, Partial<ConnectionRequest>, RawObject, number]>([
    ['from another path', { appKey: undefined }, {}, 4005],
    ['without a key', { appKey: '' }, {}, 4005],
    ['with an unknown key', { appKey: 'unknown' }, {}, 4001],
    ['from a disabled app', {}, { enabled: false }, 4003],
    ['without TLS', {}, { tlsOnly: true }, 4000],
    ['with an old protocol', { protocol: '3' }, {}, 4007],
    ['with a protocol of the future', { protocol: '8' }, {}, 4007],
    ['with a protocol that is no number', { protocol: 'x' }, {}, 4007],
    ['from a foreign origin', { origin: 'https://evil.com' }, { allowedOrigins: ['https://a.com'] }, 4009],
  ])('%s, with the right code', (_, own, app, code) => {
    const { transport } = attempt(own, app);
    expect(transport.closes.map(([closeCode]) => closeCode)).toEqual([code]);
  });

  test('with the reason as a frame before the close', () => {
    const { transport } = attempt({ appKey: 'unknown' });
    const [, reason] = transport.closes[0]!;
    expect(JSON.parse(transport.frames[0]!)).toEqual({
      event: 'pusher:error',
      data: { code: 4001, message: reason },
    });
  });

  test('and leaves no connection', () => {
    const { parts, transport } = attempt({ appKey: 'unknown' });
    expect([parts.connections.size, transport.connection]).toEqual([0, undefined]);
  });

  test('while the server stops, to come back', () => {
    const { parts, connects$ } = runNode();
    parts.node.draining = true;
    const transport = new RecordingTransport();
    connects$.next({ transport, request });
    expect(transport.closes.map(([code]) => code)).toEqual([4200]);
  });

  test('over quota with the code that is configured', () => {
    const { open } = runNode({ app: { maxConnections: 1 }, config: { server: { overCapacityCode: 4100 } } });
    open();
    expect(open().transport.closes.map(([code]) => code)).toEqual([4100]);
  });
});

describe('a guard', () => {
  const guard = (verdict: () => unknown) =>
    defineStage({ name: 'guard', slot: 'connect:admitted', guard: verdict as () => true });

  test('refuses with its own code and reason', () => {
    const refuse = guard(() => ({ closeCode: 4101, reason: 'come back later' }));
    const { transport } = runNode({ stages: [refuse] }).open();
    expect(transport.closes).toEqual([[4101, 'Connection refused: come back later']]);
  });

  test.each([4300, 3999, 4100.5, Number.NaN])('never closes with %d', (closeCode) => {
    const { transport } = runNode({ stages: [guard(() => ({ closeCode, reason: 'no' }))] }).open();
    expect(transport.closes.map(([code]) => code)).toEqual([4009]);
  });

  test('that answers neither yes nor a refusal lets nobody in', () => {
    const { transport } = runNode({ stages: [guard(() => false)] }).open();
    expect([transport.connection, transport.closes.length]).toEqual([undefined, 1]);
  });

  test('that throws lets nobody in, to come back', () => {
    const broken = guard(() => {
      throw new Error('broken');
    });
    const { transport } = runNode({ stages: [broken] }).open();
    expect([transport.connection, transport.closes.map(([code]) => code)]).toEqual([undefined, [4100]]);
  });

  test('that tripped leaves nobody waiting', () => {
    const broken = guard(() => {
      throw new Error('broken');
    });
    const { open } = runNode({ stages: [broken] });
    for (let i = 0; i < 10; i++) open();
    expect(open().transport.closes.length).toBe(1);
  });

  test('takes no place of the quota for those it refuses', () => {
    let verdict: unknown = { closeCode: 4009, reason: 'no' };
    const { open } = runNode({ stages: [guard(() => verdict)], app: { maxConnections: 1 } });
    open();
    verdict = true;
    expect(open().told).toEqual(['pusher:connection_established']);
  });

  test('that takes its time makes the first frames wait', async () => {
    const answer = promised<true>();
    const { open } = runNode({ stages: [guard(() => answer.promise)] });
    const client = open();
    client.send({ event: 'pusher:ping' });
    const before = client.told.length;
    answer.resolve(true);
    await settled();
    expect([before, client.told]).toEqual([0, ['pusher:connection_established', 'pusher:pong']]);
  });

  test('that answers after the wire is gone makes no connection and takes no place', async () => {
    const answer = promised<true>();
    let verdict: unknown = answer.promise;
    const { open, parts } = runNode({ stages: [guard(() => verdict)], app: { maxConnections: 1 } });
    open().transport.isOpen = false;
    answer.resolve(true);
    await settled();
    verdict = true;
    const before = parts.connections.size;
    expect([before, open().told]).toEqual([0, ['pusher:connection_established']]);
  });
});

test('a tap sees connections that were greeted', () => {
  const seen: unknown[] = [];
  const look = defineStage({
    name: 'look',
    slot: 'connect:established',
    tap: ({ transport }) => seen.push(transport),
  });
  const { open, connects$ } = runNode({ stages: [look] });
  const transport = new RecordingTransport();
  transport.onWrite = ([text]) => seen.push((JSON.parse(text!) as { event: string }).event);
  connects$.next({ transport, request });
  open('unknown');
  expect(seen).toEqual(['pusher:connection_established', transport]);
});
