import { printable, table } from './table.ts';

/** What the admin listener answers, as far as it is printed. */
export interface ListAnswer {
  readonly endpoints: readonly {
    readonly app: string;
    readonly id: string;
    readonly host: string | null;
    readonly state: string;
    readonly inFlight: number;
    readonly waiting: number;
    readonly lastSuccessAt: string | null;
    readonly lastFailure: string | null;
    readonly undelivered: number;
    readonly oldestAt: string | null;
    readonly deadLetters: number;
    readonly coalesced: number;
  }[];
}

export interface EventAnswer {
  readonly at: string;
  /** As a webhook carries it. */
  readonly event: Readonly<Record<string, unknown>>;
  readonly deliveries: readonly {
    readonly endpoint: string;
    readonly state: string;
    readonly batchId: string | null;
    readonly failures: number;
    readonly lastFailure: string | null;
  }[];
}

export interface EventsAnswer {
  readonly events: readonly EventAnswer[];
  readonly hasMore: boolean;
}

/** Of `retry` and `replay`. */
export interface OrderAnswer {
  readonly endpoints: readonly string[];
  readonly replayed: number;
  /** Of a replay: how many it would have sent at most. */
  readonly limit?: number;
}

const none = '-';

export function listText({ endpoints }: ListAnswer): string {
  if (endpoints.length === 0) return 'No app has a webhook endpoint.\n';
  const rows = endpoints.map((endpoint) => [
    endpoint.app,
    endpoint.id,
    endpoint.host ?? none,
    endpoint.state,
    String(endpoint.undelivered),
    endpoint.oldestAt ?? none,
    String(endpoint.inFlight),
    String(endpoint.waiting),
    String(endpoint.deadLetters),
    String(endpoint.coalesced),
    endpoint.lastSuccessAt ?? none,
    endpoint.lastFailure ?? none,
  ]);
  return table(listHeader, rows);
}

const listHeader = [
  'APP',
  'ENDPOINT',
  'HOST',
  'STATE',
  'UNDELIVERED',
  'OLDEST',
  'IN FLIGHT',
  'WAITING',
  'DEAD',
  'COALESCED',
  'LAST SUCCESS',
  'LAST FAILURE',
];

export function eventsText({ events, hasMore }: EventsAnswer): string {
  if (events.length === 0) return 'No such event is kept.\n';
  const rows = events.map(({ at, event, deliveries }) => [
    at,
    textOf(event['id']),
    textOf(event['name']),
    textOf(event['channel']),
    textOf(event['user_id']),
    textOf(event['seq']),
    deliveries.map(({ endpoint, state }) => `${endpoint}: ${state}`).join(', ') || none,
  ]);
  const more = hasMore ? 'There are more: narrow it down with --from, or raise --limit.\n' : '';
  return `${table(['AT', 'ID', 'NAME', 'CHANNEL', 'USER', 'SEQ', 'DELIVERIES'], rows)}${more}`;
}

export function eventText({ at, event, deliveries }: EventAnswer): string {
  const fields = Object.entries({ ...event, at }).map(([name, value]) => [name, textOf(value)] as const);
  const width = Math.max(...fields.map(([name]) => name.length));
  const lines = fields.map(([name, value]) => `${printable(name.padEnd(width))}  ${printable(value)}\n`);
  if (deliveries.length === 0) return `${lines.join('')}\nNo endpoint takes it.\n`;
  const rows = deliveries.map(({ endpoint, state, batchId, failures, lastFailure }) => [
    endpoint,
    state,
    batchId ?? none,
    String(failures),
    lastFailure ?? none,
  ]);
  return `${lines.join('')}\n${table(['ENDPOINT', 'STATE', 'BATCH', 'FAILURES', 'LAST FAILURE'], rows)}`;
}

export function retryText({ endpoints, replayed }: OrderAnswer): string {
  const again = replayed === 0 ? '' : ` ${counted(replayed)} sent again.`;
  return `Asked again: ${printable(endpoints.join(', '))}.${again}\n`;
}

const nothingReplayed =
  'Nothing is sent again: no such event was delivered or given up, or 10000 replayed ones wait already.';

export function replayText({ endpoints, replayed, limit }: OrderAnswer): string {
  if (replayed === 0) return `${nothingReplayed}\n`;
  const more =
    replayed === limit ? ' That is as many as were asked for: there may be more, with a later --from.' : '';
  return `On the way again, to ${printable(endpoints.join(', '))}: ${counted(replayed)}.${more}\n`;
}

function counted(events: number): string {
  return events === 1 ? '1 event' : `${events} events`;
}

function textOf(value: unknown): string {
  if (value === undefined) return none;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
