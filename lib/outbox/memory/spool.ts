import type { AppOutbox } from './app-outbox.ts';
import type { EndpointState } from './endpoint-state.ts';
import type { LifecycleLedger } from './lifecycle-ledger.ts';
import type { LogLane } from './log-lane.ts';
import type { Lane } from '../outbox.ts';
import { parseLine, type SpoolLine, spoolUnreadable, toBatch, toSpooled } from './spool-line.ts';

const version = 1;

/** What a spool is made from, and what it is read into. */
export interface Spooled {
  readonly partitions: number;
  readonly ledger: LifecycleLedger;
  readonly apps: Iterable<AppOutbox>;
  /** The app's outbox, made when there is none. */
  readonly appOf: (appId: string) => AppOutbox;
}

/** Everything that has to survive a graceful restart as NDJSON, the format's version first and the number of lines last. */
export function* spoolLines(spooled: Spooled): Iterable<string> {
  let lines = 0;
  for (const line of contentLines(spooled)) {
    lines++;
    yield JSON.stringify(line);
  }
  yield JSON.stringify({ line: 'end', lines } satisfies SpoolLine);
}

/** @throws SpillwayError when a line cannot be read, or the spool ends before its end. */
export function restoreLines(lines: Iterable<string>, spooled: Spooled): void {
  let number = 0;
  let isComplete = false;
  for (const text of lines) {
    number++;
    const line = parseLine(text, number);
    if (isComplete) throw spoolUnreadable(number, 'it stands behind the end');
    if ((line.line === 'spool') !== (number === 1)) {
      throw spoolUnreadable(number, 'a spool has its version in the first line, and there alone');
    }
    isComplete = restoreLine(line, spooled, number);
  }
  if (!isComplete) throw spoolUnreadable(number + 1, 'the spool ends here, before its end');
}

function* contentLines({ partitions, ledger, apps }: Spooled): Iterable<SpoolLine> {
  yield { line: 'spool', version, partitions };
  for (const record of ledger.records()) yield { line: 'channel', ...record };
  for (const app of apps) yield* appLines(app);
}

function* appLines(app: AppOutbox): Iterable<SpoolLine> {
  const { appId } = app;
  for (const { id, closedAtMs } of app.endpoints) {
    yield { line: 'endpoint', appId, endpointId: id, closedAtMs: closedAtMs ?? null };
  }
  for (const [partition, log] of app.logs.entries()) {
    const lanes = Array.from(app.endpoints, ({ lanes: all }) => all[partition]).filter(
      (lane) => lane !== undefined,
    );
    let index = Math.min(log.end, ...lanes.map(({ position }) => position));
    for (; index < log.end; index++) {
      const event = log.at(index);
      if (event !== undefined) yield { line: 'event', event };
    }
  }
  for (const endpoint of app.endpoints) yield* endpointLines(appId, endpoint);
}

function* endpointLines(appId: string, endpoint: EndpointState): Iterable<SpoolLine> {
  const { id: endpointId, lanes, replay, deadLetters } = endpoint;
  for (const [partition, lane] of lanes.entries()) yield* laneLines({ appId, endpointId, partition }, lane);
  for (const { lane, batches } of endpoint.allLanes) {
    for (const batch of batches.all) yield { line: 'batch', ...lane, batch: toSpooled(batch) };
  }
  for (const asked of replay.asked) yield { line: 'replay', appId, endpointId, ...asked };
  for (const letter of deadLetters.all) yield { line: 'dead', appId, endpointId, letter };
}

function* laneLines(
  of: { readonly appId: string; readonly endpointId: string; readonly partition: number },
  { log, position, fold, sent }: LogLane,
): Iterable<SpoolLine> {
  yield { line: 'lane', ...of, behind: log.end - position };
  for (const event of fold.events()) yield { line: 'folded', ...of, event };
  for (const [channel, last] of sent) yield { line: 'sent', ...of, channel, ...last };
}

/** Whether it was the last line. */
function restoreLine(line: SpoolLine, { partitions, ledger, appOf }: Spooled, number: number): boolean {
  switch (line.line) {
    case 'spool':
      checkHead(line, partitions);
      break;
    case 'channel':
      ledger.restore(line);
      break;
    case 'endpoint':
      appOf(line.appId).add(line.endpointId).closedAtMs = line.closedAtMs ?? undefined;
      break;
    case 'event':
      appOf(line.event.appId).restore(line.event);
      break;
    case 'end':
      if (line.lines !== number - 1)
        throw spoolUnreadable(number, `${line.lines} lines should stand before it`);
      return true;
    case 'lane':
    case 'sent':
    case 'folded':
    case 'batch':
    case 'replay':
    case 'dead':
      restoreOfEndpoint(line, appOf(line.appId).endpoint(line.endpointId), number);
  }
  return false;
}

type OfEndpoint = Extract<
  SpoolLine,
  { readonly line: 'lane' | 'sent' | 'folded' | 'batch' | 'replay' | 'dead' }
>;

function restoreOfEndpoint(line: OfEndpoint, endpoint: EndpointState | undefined, number: number): void {
  if (endpoint === undefined)
    throw spoolUnreadable(number, `endpoint ${line.endpointId} was not named before`);
  switch (line.line) {
    case 'batch':
      existing(endpoint.laneAt(line.partition), line, number).batches.restore(toBatch(line.batch));
      break;
    case 'replay':
      endpoint.replay.add(line.event, line.askedAtMs);
      break;
    case 'dead':
      endpoint.deadLetters.add(line.letter);
      break;
    case 'lane':
    case 'sent':
    case 'folded':
      restoreOfLane(line, existing(endpoint.lanes[line.partition], line, number));
  }
}

function restoreOfLane(
  line: Extract<SpoolLine, { readonly line: 'lane' | 'sent' | 'folded' }>,
  lane: LogLane,
): void {
  switch (line.line) {
    case 'lane':
      lane.restore(line.behind);
      break;
    case 'sent':
      lane.sent.set(line.channel, { epoch: line.epoch, seq: line.seq });
      break;
    case 'folded':
      lane.fold.add(line.event);
  }
}

function existing<T>(lane: T | undefined, { partition }: Pick<Lane, 'partition'>, number: number): T {
  if (lane === undefined) throw spoolUnreadable(number, `there is no partition ${partition}`);
  return lane;
}

function checkHead(head: Extract<SpoolLine, { readonly line: 'spool' }>, partitions: number): void {
  if (head.version !== version)
    throw spoolUnreadable(1, `its format is version ${head.version}, not ${version}`);
  if (head.partitions !== partitions) {
    throw spoolUnreadable(1, `it was written with cluster.partitions ${head.partitions}, not ${partitions}`);
  }
}
