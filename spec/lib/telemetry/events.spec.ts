import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { EventEntry } from '../../../lib/telemetry/event-entry.ts';
import { type EventFields, eventGroups, events } from '../../../lib/telemetry/events.ts';
import { renderEventsPage } from '../../../lib/telemetry/events-page.ts';

const rows: [string, EventEntry][] = Object.entries(events);
const refresh = 'docs/events.md is out of step with lib/telemetry/events.ts: run node scripts/write-docs.js';

describe('the event catalogue', () => {
  test.each(rows)('%s has a dotted name and one sentence that says when', (name, { doc }) => {
    expect(name).toMatch(/^[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*$/);
    expect(doc).toMatch(/^[A-Z`].*\.$/);
  });

  test('no two groups share a name', () => {
    const names = Object.values(eventGroups).flatMap((group) => Object.keys(group));
    expect(names).toHaveLength(rows.length);
  });

  test.each(rows)('%s uses no field that the log line has already', (_name, { fields }) => {
    for (const field of ['level', 'time', 'msg']) expect(fields).not.toHaveProperty(field);
  });

  test.each(rows)(
    'the metrics of %s speak of its fields, and only of labels with few values',
    (_name, entry) => {
      for (const metric of entry.metrics ?? []) {
        expect(metric.name).toMatch(
          metric.kind === 'counter' ? /^spillway_\w+_total$/ : /^spillway_\w+_(?:seconds|size)$/,
        );
        for (const label of metric.labels ?? []) expect(hasFewValues(label, entry)).toBe(true);
        const measured = metric.kind === 'counter' ? metric.by : metric.of;
        if (measured !== undefined) expect(entry.fields[measured]).toBe('number');
      }
    },
  );

  test('debug events have no metrics: they are not emitted while debug is off', () => {
    const counted = rows.filter(([, entry]) => entry.level === 'debug' && entry.metrics !== undefined);
    expect(counted).toEqual([]);
  });
});

describe('the types of the fields', () => {
  test('follow from the catalogue', () => {
    const closed: EventFields<'connection.closed'> = {
      appId: 'a',
      socketId: '1.1',
      // @ts-expect-error a cause that is not in the list
      cause: 'boredom',
      closeCode: 1000,
      durationMs: 1,
      subscriptions: 0,
    };
    const refused: EventFields<'message.refused'> = { appId: 'a', socketId: '1.1', code: 'message.binary' };
    // @ts-expect-error a field is missing
    const vacated: EventFields<'channel.vacated'> = { appId: 'a' };
    // @ts-expect-error a code that is not in the error catalogue
    const unknown: EventFields<'http.refused'> = { path: '/', status: 400, code: 'http.teapot' };
    expect([closed, refused, vacated, unknown]).toHaveLength(4);
  });
});

describe('the events page', () => {
  test('is in step with the catalogue', () => {
    const committed = readFileSync(join(process.cwd(), 'docs/events.md'), 'utf8');
    expect(committed === renderEventsPage() ? 'in step' : refresh).toBe('in step');
  });

  test.each(rows)('has one row for %s', (name) => {
    const lines = renderEventsPage()
      .split('\n')
      .filter((line) => line.startsWith(`| \`${name}\` |`));
    expect(lines).toHaveLength(1);
  });
});

/** A list of words, a code of the catalogue, or a name that only the operator gives. */
function hasFewValues(label: string, { fields }: EventEntry): boolean {
  const kind = fields[label];
  return (
    (kind !== undefined && typeof kind !== 'string') ||
    kind === 'code' ||
    ['stage', 'policy', 'status', 'appId', 'endpointId'].includes(label)
  );
}
