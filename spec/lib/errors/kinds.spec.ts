import { describe, expect, test } from '@jest/globals';
import { catalogue, type ErrorCode } from '../../../lib/errors/catalogue.ts';
import { type ErrorKind, errorKinds } from '../../../lib/errors/kinds.ts';
import { SpillwayError } from '../../../lib/errors/spillway-error.ts';
import { answerError } from '../../../lib/http/http-answer.ts';
import { noteFailure } from '../../../lib/stages/bound-stage.ts';
import { toMetrics } from '../../../lib/telemetry/event-metrics.ts';
import { Metrics } from '../../../lib/telemetry/metrics.ts';
import { Telemetry, type TelemetryEvent } from '../../../lib/telemetry/telemetry.ts';

/** What is expected of each kind, and a code of the catalogue that is of it. */
const table: readonly {
  readonly kind: ErrorKind;
  readonly code: ErrorCode;
  readonly level: string;
  readonly retryAfter: string | undefined;
  readonly trips: boolean;
}[] = [
  { kind: 'client', code: 'http.malformed-json', level: 'info', retryAfter: undefined, trips: false },
  { kind: 'overload', code: 'http.overloaded', level: 'warn', retryAfter: '1', trips: true },
  { kind: 'transient', code: 'internal', level: 'error', retryAfter: '1', trips: true },
  { kind: 'fatal', code: 'stage.invalid', level: 'fatal', retryAfter: undefined, trips: true },
];

test('every kind is in the table', () => {
  expect(table.map(({ kind }) => kind)).toEqual(Object.keys(errorKinds));
});

describe.each(table)('an error of kind $kind', ({ kind, code, level, retryAfter, trips }) => {
  function refused() {
    const telemetry = new Telemetry();
    const metrics = new Metrics({ process: false });
    const seen: TelemetryEvent[] = [];
    void telemetry.events$.forEach((event) => seen.push(event));
    void telemetry.events$.forEach(toMetrics(metrics));
    telemetry.emit('http.refused', {
      path: '/x',
      status: catalogue[code].status,
      code,
      appId: undefined,
    });
    return { seen, metrics };
  }

  test('is what the example is', () => {
    expect(catalogue[code].kind).toBe(kind);
  });

  test(`is told at level ${level}`, () => {
    expect(refused().seen.map((event) => event.level)).toEqual([level]);
  });

  test('is counted by kind and code', async () => {
    expect(await refused().metrics.text()).toContain(
      `spillway_errors_total{kind="${kind}",code="${code}"} 1`,
    );
  });

  test(`is answered ${retryAfter === undefined ? 'without' : 'with'} a time to come back`, () => {
    const headers = new Map<string, string>();
    const response = {
      headersSent: false,
      destroyed: false,
      req: { complete: true },
      setHeader: (name: string, value: string) => headers.set(name, value),
      writeHead: () => undefined,
      write: () => true,
      end: () => undefined,
    };
    answerError(response as unknown as Parameters<typeof answerError>[0], new SpillwayError(code));
    expect(headers.get('Retry-After')).toBe(retryAfter);
  });

  test(`${trips ? 'counts' : 'does not count'} towards the breaker of the stage that threw it`, () => {
    let failures = 0;
    const stage = { stats: { failed: 0 }, gate: { failed: () => failures++ > 0 } };
    const exits = { onTripped: () => undefined, onRecovered: () => undefined };
    noteFailure(stage as unknown as Parameters<typeof noteFailure>[0], new SpillwayError(code), exits);
    expect(failures).toBe(trips ? 1 : 0);
  });
});
