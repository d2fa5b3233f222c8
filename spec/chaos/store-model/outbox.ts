import type { Reply } from '../../../lib/redis/store-link.ts';
import type { Arguments } from './arguments.ts';
import { inOrder } from './in-order.ts';
import { metaOf, owns } from './lane.ts';
import type { LaneState } from './partition-state.ts';
import { cut, entriesFrom, entryReply, fieldOf, firstEntry, streamBytes } from './stream.ts';
import { channelName, type Transaction } from './transaction.ts';

/** The outboxes of the partition as a whole: what lies in them, and what is let go. */
export function outbox(tx: Transaction, args: Arguments): Reply {
  const mode = args.text();
  const run = modes[mode];
  if (run === undefined) throw new Error(`the outbox has no mode ${mode}`);
  return run(tx, args);
}

type Mode = (tx: Transaction, args: Arguments) => Reply;

const modes: Record<string, Mode | undefined> = {
  backlogs(tx, args) {
    const only = args.text();
    const apps = only === '' ? inOrder(tx.state.endpointApps) : [only];
    return [
      'OK',
      ...apps.flatMap((app) => endpointsOf(tx, app).map(([endpoint]) => backlogOf(tx, app, endpoint))),
    ];
  },
  entries(tx, args) {
    const stream = tx.state.outbox.get(args.text());
    return ['OK', entriesFrom(stream, args.whole(), args.whole()).map(entryReply)];
  },
  lanes(tx, args) {
    const app = args.text();
    const lanes = endpointsOf(tx, app).map(([endpoint]): Reply => {
      const lane = laneOf(tx, app, endpoint);
      const batches = lane?.batches.flatMap((batch) => [batch.id, metaOf(batch), batch.events]) ?? [];
      return [endpoint, lane?.start ?? 0, lane?.position ?? 0, batches];
    });
    return ['OK', ...lanes];
  },
  folded(tx, args) {
    const lane = laneOf(tx, args.text(), args.text());
    const offset = args.whole();
    return ['OK', lane?.folded.slice(offset, offset + args.whole()) ?? []];
  },
  dead(tx, args) {
    const letters = tx.state.letters.get(`${args.text()}:${args.text()}`) ?? new Map<string, never>();
    const offset = args.whole();
    const inTurn = [...letters.values()].sort((a, b) => a.number - b.number);
    return ['OK', inTurn.slice(offset, offset + args.whole()).map(({ text }) => text)];
  },
  trim: ifOwner(trim),
  expire: ifOwner(expireLetters),
  seqs: ifOwner(forgetSeqs),
  forget: ifOwner(forgetEndpoint),
};

function ifOwner(mode: Mode): Mode {
  return (tx, args) => (owns(tx, args.text()) ? mode(tx, args) : ['NONE']);
}

function laneOf(tx: Transaction, app: string, endpoint: string): LaneState | undefined {
  return tx.state.lanes.get(`l:${app}:${endpoint}`);
}

function endpointsOf(tx: Transaction, app: string): [endpoint: string, closedAt: string][] {
  return [...(tx.state.endpoints.get(app) ?? [])];
}

/** What waits for one endpoint. */
function backlogOf(tx: Transaction, app: string, endpoint: string): Reply[] {
  const stream = tx.state.outbox.get(app);
  const head = stream?.head ?? 0;
  const lane = laneOf(tx, app, endpoint);
  const replays = tx.state.lanes.get(`rl:${app}:${endpoint}`);
  const position = lane?.position ?? 0;
  const behind = head - position;
  const length = stream?.entries.length ?? 0;
  const bytes = length > 0 ? Math.floor((streamBytes(stream) * behind) / length) : 0;
  const folded = lane?.folded.length ?? 0;
  return [
    app,
    endpoint,
    tx.state.endpoints.get(app)?.get(endpoint) ?? '',
    folded + behind,
    lane?.batches.reduce((sum, { count }) => sum + Number(count), 0) ?? 0,
    bytes + (lane?.foldedBytes ?? 0) + (lane?.bodyBytes ?? 0),
    oldestOf(tx, app, lane),
    tx.state.letters.get(`${app}:${endpoint}`)?.size ?? 0,
    lane?.leftOut ?? 0,
    position,
    replays?.folded.length ?? 0,
    (replays?.batches.length ?? 0) > 0 ? 1 : 0,
    folded,
    head,
  ];
}

/** When the first of what waits entered the outbox; 0: nothing waits. */
function oldestOf(tx: Transaction, app: string, lane: LaneState | undefined): number {
  const [batch] = lane?.batches ?? [];
  if (batch !== undefined) return Number(batch.oldestMs);
  const [folded] = lane?.folded ?? [];
  if (folded !== undefined) return (JSON.parse(folded) as { atMs: number }).atMs;
  const [entry] = entriesFrom(tx.state.outbox.get(app), (lane?.position ?? 0) + 1, 1);
  return entry === undefined ? 0 : Number(fieldOf(entry, 't'));
}

function heldBytes(tx: Transaction, app: string): number {
  const lanes = endpointsOf(tx, app).flatMap(([endpoint]) =>
    ['l', 'rl'].map((kind) => tx.state.lanes.get(`${kind}:${app}:${endpoint}`)),
  );
  return lanes.reduce(
    (sum, lane) => sum + (lane?.foldedBytes ?? 0) + (lane?.bodyBytes ?? 0),
    streamBytes(tx.state.outbox.get(app)),
  );
}

/**
 * Lets entries go that every lane has passed: what is older than `beforeMs`, and as many as it takes to hold no more than
 * `maxBytes`.
 */
function trim(tx: Transaction, args: Arguments): Reply {
  const app = args.text();
  const maxBytes = args.whole();
  const beforeMs = args.whole();
  const limit = args.whole();
  const stream = tx.state.outbox.get(app);
  const head = stream?.head ?? 0;
  const passed = Math.min(
    head,
    ...endpointsOf(tx, app).map(([endpoint]) => laneOf(tx, app, endpoint)?.position ?? 0),
  );
  const first = firstEntry(stream);
  let upTo = first - 1;
  let isMore = false;
  if (beforeMs > 0) {
    const old = entriesFrom(stream, 0, limit).filter(({ number }) => number <= passed);
    const fresh = old.findIndex((entry) => Number(fieldOf(entry, 't')) >= beforeMs);
    const aged = fresh === -1 ? old : old.slice(0, fresh);
    upTo = aged.at(-1)?.number ?? upTo;
    isMore = old.length > 0 && aged.length === old.length;
  }
  const held = heldBytes(tx, app);
  if (held > maxBytes && passed >= first) {
    const mean = streamBytes(stream) / (stream?.entries.length ?? 1);
    const over = held - (maxBytes - maxBytes / 32);
    upTo = Math.max(upTo, Math.min(passed, first - 1 + Math.ceil(over / Math.max(1, mean))));
  }
  cut(stream, upTo);
  return ['OK', heldBytes(tx, app), head, isMore ? 1 : 0, streamBytes(stream)];
}

/** Dead letters that were kept long enough. */
function expireLetters(tx: Transaction, args: Arguments): Reply {
  const [app, endpoint, beforeMs, limit] = [args.text(), args.text(), args.whole(), args.whole()];
  const letters = tx.state.letters.get(`${app}:${endpoint}`) ?? new Map<string, never>();
  const old = [...letters]
    .filter(([, { number }]) => number < beforeMs * 1_000)
    .sort(([, a], [, b]) => a.number - b.number)
    .slice(0, limit);
  const key = `l:${app}:${endpoint}`;
  for (const [id, { text }] of old) {
    tx.state.letterBytes.set(key, (tx.state.letterBytes.get(key) ?? 0) - Buffer.byteLength(text));
    letters.delete(id);
  }
  return ['OK', old.length];
}

/** Forgets the seqs of channels that are forgotten. In one go; Redis may need several. */
function forgetSeqs(tx: Transaction, args: Arguments): Reply {
  const [app, endpoint] = [args.text(), args.text()];
  const sent = tx.state.sent.get(`${app}:${endpoint}`);
  for (const channel of sent?.keys() ?? []) {
    if (tx.channel(channelName(app, channel)) === undefined) sent?.delete(channel);
  }
  return ['OK', '0'];
}

/** A retired endpoint is forgotten. Answers how many events it was never told. */
function forgetEndpoint(tx: Transaction, args: Arguments): Reply {
  const [app, endpoint, beforeMs] = [args.text(), args.text(), args.whole()];
  const ofApp = tx.state.endpoints.get(app);
  const closedAt = ofApp?.get(endpoint) ?? '';
  if (closedAt === '' || Number(closedAt) >= beforeMs) return ['NONE'];
  const backlog = backlogOf(tx, app, endpoint);
  for (const kind of ['l', 'rl']) {
    tx.state.lanes.delete(`${kind}:${app}:${endpoint}`);
    tx.state.letterBytes.delete(`${kind}:${app}:${endpoint}`);
  }
  tx.state.letters.delete(`${app}:${endpoint}`);
  tx.state.sent.delete(`${app}:${endpoint}`);
  ofApp?.delete(endpoint);
  if (ofApp?.size === 0) {
    const stream = tx.state.outbox.get(app);
    cut(stream, stream?.head ?? 0);
    tx.state.endpointApps.delete(app);
  }
  return ['OK', Number(backlog[3]) + Number(backlog[4]) + Number(backlog[7])];
}
