import { SpillwayError } from '../../errors/spillway-error.ts';
import type { DeadLetter } from './dead-letters.ts';
import type { LedgerRecord } from './lifecycle-ledger.ts';
import type { Lane, RecordedBatch, SentSeq } from '../outbox.ts';
import type { OutboxEvent } from '../outbox-event.ts';

type OfLane<Fields> = Fields & Pick<Lane, 'appId' | 'endpointId'> & { readonly partition: number };

/** What survives a graceful restart, one fact in each line. */
export type SpoolLine =
  | { readonly line: 'spool'; readonly version: number; readonly partitions: number }
  | ({ readonly line: 'channel' } & LedgerRecord)
  | {
      readonly line: 'endpoint';
      readonly appId: string;
      readonly endpointId: string;
      readonly closedAtMs: number | null;
    }
  /** An entry of a log. */
  | { readonly line: 'event'; readonly event: OutboxEvent }
  /** A lane stands this many entries before the end of its log. */
  | OfLane<{ readonly line: 'lane'; readonly behind: number }>
  | OfLane<{ readonly line: 'sent'; readonly channel: string } & SentSeq>
  /** Of a lane's fold: a kept event or a range. */
  | OfLane<{ readonly line: 'folded'; readonly event: OutboxEvent }>
  | (Lane & { readonly line: 'batch'; readonly batch: SpooledBatch })
  | {
      readonly line: 'replay';
      readonly appId: string;
      readonly endpointId: string;
      readonly event: OutboxEvent;
      readonly askedAtMs: number;
    }
  | {
      readonly line: 'dead';
      readonly appId: string;
      readonly endpointId: string;
      readonly letter: DeadLetter;
    }
  /** The last one: whoever reads it has everything. */
  | { readonly line: 'end'; readonly lines: number };

/** The body in base64; what is undefined is null. */
interface SpooledBatch {
  readonly id: string;
  readonly bodyBase64: string;
  readonly events: readonly OutboxEvent[];
  readonly createdAtMs: number;
  readonly failures: number;
  readonly lastFailure: string | null;
  readonly refusedSinceMs: number | null;
  readonly isSplit: boolean;
}

type FieldType =
  | 'string'
  | 'number'
  | 'boolean'
  | 'object'
  | 'array'
  | 'number or null'
  | 'string or null'
  | 'partition';

const laneFields = { appId: 'string', endpointId: 'string', partition: 'number' } as const;

/** What each line has to have. */
const fields: Readonly<Record<SpoolLine['line'], Readonly<Record<string, FieldType>>>> = {
  spool: { version: 'number', partitions: 'number' },
  channel: { appId: 'string', channel: 'string', epoch: 'string', seq: 'number', members: 'array' },
  endpoint: { appId: 'string', endpointId: 'string', closedAtMs: 'number or null' },
  event: { event: 'object' },
  lane: { ...laneFields, behind: 'number' },
  sent: { ...laneFields, channel: 'string', epoch: 'string', seq: 'number' },
  folded: { ...laneFields, event: 'object' },
  batch: { ...laneFields, partition: 'partition', batch: 'object' },
  replay: { appId: 'string', endpointId: 'string', event: 'object', askedAtMs: 'number' },
  dead: { appId: 'string', endpointId: 'string', letter: 'object' },
  end: { lines: 'number' },
};
const eventFields = {
  kind: 'string',
  id: 'string',
  appId: 'string',
  channel: 'string',
  atMs: 'number',
} as const;
const batchFields = {
  id: 'string',
  bodyBase64: 'string',
  events: 'array',
  createdAtMs: 'number',
  failures: 'number',
  lastFailure: 'string or null',
  refusedSinceMs: 'number or null',
  isSplit: 'boolean',
} as const;
const letterFields = { event: 'object', reason: 'string', failures: 'number', atMs: 'number' } as const;

/** @throws SpillwayError `outbox.spool-unreadable`. Nothing is left out because it is not understood. */
export function parseLine(text: string, number: number): SpoolLine {
  const parsed = parseObject(text, number);
  const line = parsed['line'];
  if (typeof line !== 'string' || !isKnown(line)) {
    throw spoolUnreadable(number, `it begins no known kind of line (${String(line)})`);
  }
  check(parsed, fields[line], number);
  if (line === 'event' || line === 'folded' || line === 'replay') check(parsed['event'], eventFields, number);
  if (line === 'batch') check(parsed['batch'], batchFields, number);
  if (line === 'dead') check(parsed['letter'], letterFields, number);
  return parsed as unknown as SpoolLine;
}

export function spoolUnreadable(number: number, problem: string): SpillwayError {
  return new SpillwayError('outbox.spool-unreadable', { line: number, problem });
}

export function toSpooled({ id, body, events, createdAtMs, ...state }: RecordedBatch): SpooledBatch {
  return {
    id,
    bodyBase64: body.toString('base64'),
    events,
    createdAtMs,
    failures: state.failures,
    lastFailure: state.lastFailure ?? null,
    refusedSinceMs: state.refusedSinceMs ?? null,
    isSplit: state.isSplit,
  };
}

export function toBatch({ bodyBase64, lastFailure, refusedSinceMs, ...batch }: SpooledBatch): RecordedBatch {
  return {
    ...batch,
    body: Buffer.from(bodyBase64, 'base64'),
    lastFailure: lastFailure ?? undefined,
    refusedSinceMs: refusedSinceMs ?? undefined,
  };
}

function isKnown(line: string): line is SpoolLine['line'] {
  return Object.hasOwn(fields, line);
}

function parseObject(text: string, number: number): Readonly<Record<string, unknown>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw spoolUnreadable(number, error instanceof Error ? error.message : 'it is not JSON');
  }
  if (!isObject(parsed)) throw spoolUnreadable(number, 'it is not a JSON object');
  return parsed;
}

function check(value: unknown, expected: Readonly<Record<string, FieldType>>, number: number): void {
  for (const [name, type] of Object.entries(expected)) {
    if (isObject(value) && isOf(type, value[name])) continue;
    throw spoolUnreadable(number, `${name} is not of the type ${type}`);
  }
}

function isOf(type: FieldType, value: unknown): boolean {
  switch (type) {
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isObject(value);
    case 'number or null':
      return value === null || typeof value === 'number';
    case 'string or null':
      return value === null || typeof value === 'string';
    case 'partition':
      return value === 'replay' || typeof value === 'number';
    case 'string':
    case 'number':
    case 'boolean':
      return typeof value === type;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
