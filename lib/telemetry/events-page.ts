import type { EventEntry, EventLevel, EventMetric, FieldKind } from './event-entry.ts';
import { errorsMetric } from './event-metrics.ts';
import { eventGroups } from './events.ts';

/** The `log.level` from which an event of this level is no longer written. */
const silencedBy = {
  debug: 'info',
  info: 'warn',
  warn: 'error',
  error: 'fatal',
  fatal: 'silent',
} as const satisfies Record<EventLevel, string>;

const introduction = `# Events

Generated from \`lib/telemetry/events.ts\` by \`node scripts/write-docs.js\`; a spec compares the two.

The server writes one line of JSON per event to stdout: \`level\`, \`time\` (ISO 8601), \`nodeId\`, the fields below, and \`msg\`,
which is the name of the event. Names and fields are an interface: they change with a line in the changelog. On a
terminal the same events are written as lines for people.

    {"level":"info","time":"2026-01-01T00:00:00.000Z","nodeId":"n1","host":"127.0.0.1","port":6001,"apps":1,"msg":"server.listening"}

- **Levels**: debug is per message, info is lifecycle and per batch, warn is overflow and retry, error is a failed item,
  fatal is the end of the process.
- **To silence** an event, set \`log.level\` to the word in its last column: everything below that level is not written.
  To silence one event alone, filter the stream by \`msg\`, for example \`jq -c 'select(.msg != "channel.occupied")'\`.
- **Fields**: \`?\` marks a field that may be absent, \`code\` is a code of [errors.md](errors.md), \`error\` is an object with
  \`type\`, \`code\`, \`message\`, \`stack\` and \`cause\`. Secrets (\`secret\`, \`token\`, \`auth\`, \`signature\`, \`channel_data\`,
  \`user_data\` and the like) are written as \`[Redacted]\`; long texts are cut.
- **Limited** events, marked so, are what strangers can cause at will: 200 lines of each a second are written, the rest
  is counted and told in \`log.suppressed\`.
- **Lines are written together**: each at most 10 ms after its event. Those that wait are written when the process ends,
  also when an error ends it; only a kill loses them.
- **When nobody reads stdout**, lines wait in memory up to 8 MiB; further ones are dropped, counted, and told in
  \`log.dropped\`.
- **Metrics** on \`GET /metrics\` of the admin listener do not depend on \`log.level\`: every event of level info and above is
  counted in \`spillway_events_total{event}\`, and some in the metrics listed at the end.
`;

/** The text of `docs/events.md`. */
export function renderEventsPage(): string {
  const groups = Object.entries(eventGroups);
  return [introduction, ...groups.map(([title, rows]) => groupOf(title, rows)), metricsOf(groups)].join('\n');
}

type Rows = Readonly<Record<string, EventEntry>>;

function groupOf(title: string, rows: Rows): string {
  const lines = Object.entries(rows).map(([name, entry]) => eventLine(name, entry));
  const header = '| Event | Level | When | Fields | Silent from |\n|---|---|---|---|---|';
  return `## ${title}\n\n${header}\n${lines.join('\n')}\n`;
}

function eventLine(name: string, { level, doc, fields, limited }: EventEntry): string {
  const texts = Object.entries(fields).map(([field, kind]) => fieldText(field, kind));
  const when = limited === true ? `${doc} Limited.` : doc;
  const [shown, silentFrom] =
    level === 'of-error' ? ['of the error', 'its kind'] : [level, `\`${silencedBy[level]}\``];
  return `| \`${name}\` | ${shown} | ${when} | ${texts.join(', ')} | ${silentFrom} |`;
}

function fieldText(field: string, kind: FieldKind): string {
  if (typeof kind !== 'string') return `\`${field}\` (${kind.join(', ')})`;
  const optional = kind.endsWith('?');
  const type = optional ? kind.slice(0, -1) : kind;
  return `\`${field}${optional ? '?' : ''}\` ${type === 'strings' ? 'list of strings' : type}`;
}

function metricsOf(groups: readonly (readonly [string, Rows])[]): string {
  const lines = groups.flatMap(([, rows]) =>
    Object.entries(rows).flatMap(([name, entry]) =>
      (entry.metrics ?? []).map((metric) => metricLine(name, metric)),
    ),
  );
  const labels = errorsMetric.labels.map((label) => `\`${label}\``).join(', ');
  const errors = `| \`${errorsMetric.name}\` | counter | ${labels} | ${errorsMetric.help} | every event with a \`code\` |`;
  const header = '| Metric | Type | Labels | What | From |\n|---|---|---|---|---|';
  return `## Metrics\n\n${[header, errors, ...lines].join('\n')}\n`;
}

function metricLine(event: string, { name, kind, help, labels = [] }: EventMetric): string {
  const quoted = labels.map((label) => `\`${label}\``);
  return `| \`${name}\` | ${kind} | ${quoted.join(', ')} | ${help} | \`${event}\` |`;
}
