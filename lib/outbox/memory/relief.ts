import type { EndpointState } from './endpoint-state.ts';
import type { EventLog } from './event-log.ts';
import type { HeldBytes } from './held-bytes.ts';
import type { LogLane } from './log-lane.ts';

/** The backlog of one app. */
export interface AppBacklog {
  readonly logs: readonly EventLog[];
  readonly held: HeldBytes;
  readonly maxBytes: number;
  readonly endpoints: Iterable<EndpointState>;
}

/** Entries moved in one go. A backlog that is still too large is relieved further by the next event. */
const atOnce = 1_024;

/** Brings an app that holds too much nearer to its cap, the least loss first; see `Outbox`. */
export function relieve(app: AppBacklog): void {
  if (!isFull(app)) return;
  dropDelivered(app);
  if (isFull(app)) foldLaggards(app);
  if (isFull(app)) shedFold(app);
}

/** Takes away up to `limit` entries that every lane has passed and `mayGo` names, oldest first. True: there may be more. */
export function dropPassed(app: AppBacklog, limit: number, mayGo: (atMs: number) => boolean): boolean {
  const passed = app.logs.map((log, partition) => ({ log, upTo: lowestPosition(app, log, partition) }));
  for (let left = limit; left > 0; left--) {
    let oldest: { readonly log: EventLog; readonly atMs: number } | undefined;
    for (const { log, upTo } of passed) {
      const atMs = log.first < upTo ? log.at(log.first)?.atMs : undefined;
      if (atMs !== undefined && (oldest === undefined || atMs < oldest.atMs)) oldest = { log, atMs };
    }
    if (oldest === undefined || !mayGo(oldest.atMs)) return false;
    oldest.log.dropFirst();
  }
  return true;
}

function dropDelivered(app: AppBacklog): void {
  dropPassed(app, atOnce, () => !hasRoom(app));
}

function foldLaggards(app: AppBacklog): void {
  const [log, partition] = largestLog(app);
  const lanes = lanesOf(app, partition);
  const each = Math.ceil(atOnce / Math.max(1, lanes.length));
  const target = Math.min(lowestPosition(app, log, partition) + each, log.end);
  for (const lane of lanes) lane.foldUpTo(target);
  while (log.first < target) log.dropFirst();
}

/** What folding left is too much: ranges become one, then the oldest events go that are not of the lifecycle. */
function shedFold(app: AppBacklog): void {
  const lanes = [...app.endpoints].flatMap((endpoint) => endpoint.lanes);
  const lane = lanes.reduce<LogLane | undefined>(
    (most, one) => (one.fold.sheddable > (most?.fold.sheddable ?? 0) ? one : most),
    undefined,
  );
  if (lane === undefined) return;
  lane.refolded();
  lane.fold.mergeRanges(atOnce);
  if (isFull(app)) lane.fold.shed(atOnce, () => hasRoom(app));
}

function isFull({ held, maxBytes }: AppBacklog): boolean {
  return held.bytes > maxBytes;
}

/** A little more goes than has to, so that not every event has to make room for itself. */
function hasRoom({ held, maxBytes }: AppBacklog): boolean {
  return held.bytes <= maxBytes - maxBytes / 32;
}

function lanesOf({ endpoints }: AppBacklog, partition: number): readonly LogLane[] {
  return Array.from(endpoints, ({ lanes }) => lanes[partition]).filter((lane) => lane !== undefined);
}

function lowestPosition(app: AppBacklog, log: EventLog, partition: number): number {
  return lanesOf(app, partition).reduce((lowest, { position }) => Math.min(lowest, position), log.end);
}

function largestLog({ logs }: AppBacklog): readonly [EventLog, number] {
  const bytes = logs.map((log) => log.bytes);
  const partition = bytes.indexOf(Math.max(...bytes));
  const log = logs[partition];
  if (log === undefined) throw new RangeError('an outbox has at least one partition');
  return [log, partition];
}
