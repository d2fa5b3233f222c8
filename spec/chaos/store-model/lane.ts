import type { Reply } from '../../../lib/redis/store-link.ts';
import type { Arguments } from './arguments.ts';
import { emptyLane } from './endpoints.ts';
import type { BatchState, LaneState, Letter, OutboxEntry, OutboxState } from './partition-state.ts';
import { entriesFrom, entryReply, fieldOf } from './stream.ts';
import type { Transaction } from './transaction.ts';

/** One endpoint's way through the partition: read, recorded and moved by the owner of the partition alone. */
export function lane(tx: Transaction, args: Arguments): Reply {
  const mode = args.text();
  const holder = args.text();
  const at: At = { app: args.text(), endpoint: args.text(), isReplay: args.text() === 'replay' };
  const forAnyone = open[mode];
  if (forAnyone !== undefined) return forAnyone(tx, at, args);
  const state = tx.state.lanes.get(keyOf(at));
  const forOwner = modes[mode];
  if (state === undefined || !owns(tx, holder)) return ['NONE'];
  if (forOwner === undefined) throw new Error(`a lane has no mode ${mode}`);
  return forOwner(new Lane(tx, at, state), args);
}

export function owns(tx: Transaction, holder: string): boolean {
  return tx.state.store?.owner === holder && (tx.state.holders.get(holder)?.leaseMs ?? 0) >= tx.nowMs;
}

interface At {
  readonly app: string;
  readonly endpoint: string;
  readonly isReplay: boolean;
}

function keyOf({ app, endpoint, isReplay }: At): string {
  return `${isReplay ? 'rl' : 'l'}:${app}:${endpoint}`;
}

class Lane {
  readonly tx: Transaction;
  readonly at: At;
  readonly state: LaneState;

  constructor(tx: Transaction, at: At, state: LaneState) {
    this.tx = tx;
    this.at = at;
    this.state = state;
  }

  get outbox(): OutboxState | undefined {
    return this.tx.state.outbox.get(this.at.app);
  }

  get firstPosition(): number {
    return this.state.position + 1 - (this.at.isReplay ? 0 : this.state.folded.length);
  }

  /** What the owner has to know to go on. */
  answer(word: string): Reply[] {
    const { token, position, folded, batches } = this.state;
    const pending = folded.length + (this.at.isReplay ? 0 : (this.outbox?.head ?? 0) - position);
    return [word, token, pending, batches.length > 0 ? 1 : 0, position, folded.length];
  }

  /** Whether somebody who read the lane under this token may still move it. */
  mayMove(token: string): boolean {
    return String(this.state.token) === token && this.state.batches.length === 0;
  }

  /** Takes the events up to and with this position away. */
  advance(upTo: number): void {
    const { state } = this;
    const length = state.folded.length;
    const taken = Math.max(0, Math.min(length, upTo + 1 - this.firstPosition));
    if (taken > 0) {
      state.foldedBytes = taken === length ? 0 : Math.floor((state.foldedBytes * (length - taken)) / length);
      state.folded.splice(0, taken);
    }
    if (this.at.isReplay) state.position += taken;
    else state.position = Math.max(state.position, Math.min(upTo, this.outbox?.head ?? 0));
    state.token += 1;
  }

  /** What lies before the lane, without the first `offset` events. */
  waiting(offset: number, limit: number): { readonly folded: string[]; readonly entries: OutboxEntry[] } {
    const { folded: all, position } = this.state;
    const folded = all.slice(offset, offset + limit);
    const room = limit - folded.length;
    if (this.at.isReplay || room === 0) return { folded, entries: [] };
    const from = position + 1 + Math.max(0, offset - all.length);
    return { folded, entries: entriesFrom(this.outbox, from, room) };
  }

  batch(id: string): BatchState | undefined {
    return this.state.batches.find((batch) => batch.id === id);
  }

  put(batches: readonly BatchState[]): void {
    for (const { body } of batches) this.state.bodyBytes += Buffer.byteLength(body);
  }

  /** These batches take the place of one. */
  replace(batch: BatchState, others: readonly BatchState[]): void {
    this.state.batches = this.state.batches.flatMap((each) => (each === batch ? others : [each]));
    this.state.bodyBytes -= Buffer.byteLength(batch.body);
    this.put(others);
  }

  bury(args: Arguments): number {
    return bury(this.tx, this.at, this.state, args);
  }
}

type OwnerMode = (lane: Lane, args: Arguments) => Reply;
const changed: Reply = ['CHANGED'];

const modes: Record<string, OwnerMode | undefined> = {
  read(lane, args) {
    const [batch] = lane.state.batches;
    if (batch === undefined) {
      const { folded, entries } = lane.waiting(0, args.whole());
      return events(lane, folded, entries, sentOf(lane, folded, entries));
    }
    return [...lane.answer('BATCH'), batch.id, metaOf(batch), batch.events, batch.body];
  },
  peek(lane, args) {
    const { folded, entries } = lane.waiting(args.whole(), args.whole());
    return events(lane, folded, entries, []);
  },
  record(lane, args) {
    if (!lane.mayMove(args.text())) return changed;
    const upTo = args.whole();
    const batch = readBatch(args, false);
    lane.advance(upTo);
    lane.state.batches = [batch];
    lane.put([batch]);
    return lane.answer('OK');
  },
  skip(lane, args) {
    if (!lane.mayMove(args.text())) return changed;
    lane.advance(args.whole());
    return lane.answer('OK');
  },
  expire(lane, args) {
    if (!lane.mayMove(args.text())) return changed;
    const upTo = args.whole();
    const gone = lane.bury(args);
    lane.advance(upTo);
    return [...lane.answer('OK'), gone];
  },
  acknowledge(lane, args) {
    const batch = lane.batch(args.text());
    if (batch === undefined) return changed;
    if (!lane.at.isReplay) took(lane, batch.seqs);
    lane.replace(batch, []);
    return lane.answer('OK');
  },
  failed(lane, args) {
    const batch = lane.batch(args.text());
    if (batch === undefined) return changed;
    const isRefusal = args.text() !== '0';
    batch.failures += 1;
    if (!isRefusal) batch.refusedSinceMs = '';
    else if (batch.refusedSinceMs === '') batch.refusedSinceMs = String(lane.tx.nowMs);
    batch.lastFailure = args.text();
    return lane.answer('OK');
  },
  split(lane, args) {
    const batch = lane.batch(args.text());
    if (batch === undefined) return changed;
    const parts: BatchState[] = [];
    while (!args.isAtEnd) parts.push(readBatch(args, true));
    lane.replace(batch, parts);
    return lane.answer('OK');
  },
  giveUp(lane, args) {
    const batch = lane.batch(args.text());
    if (batch === undefined) return changed;
    const gone = lane.bury(args);
    lane.replace(batch, []);
    return [...lane.answer('OK'), gone];
  },
  fold(lane, args) {
    if (String(lane.state.token) !== args.text()) return changed;
    lane.state.position = args.whole();
    lane.state.leftOut += args.whole();
    lane.state.foldedBytes = args.whole();
    lane.state.folded = args.rest();
    lane.state.token += 1;
    return lane.answer('OK');
  },
};

type OpenMode = (tx: Transaction, at: At, args: Arguments) => Reply;

/** What anybody may do. */
const open: Record<string, OpenMode | undefined> = {
  replay(tx, at, args) {
    if (tx.state.endpoints.get(at.app)?.has(at.endpoint) !== true) return ['OK', 0];
    const key = keyOf(at);
    const state = tx.state.lanes.get(key) ?? emptyLane(tx.nowMs);
    tx.state.lanes.set(key, state);
    const room = Math.max(0, args.whole() - state.folded.length);
    const accepted = args.rest().slice(0, room);
    state.folded.push(...accepted);
    for (const event of accepted) state.foldedBytes += Buffer.byteLength(event);
    if (accepted.length > 0) tx.publish('wake', `: ${at.app} ${at.endpoint} ${state.folded.length}`);
    return ['OK', accepted.length];
  },
  bury(tx, at, args) {
    const state = tx.state.lanes.get(keyOf(at));
    return ['OK', state === undefined ? 0 : bury(tx, at, state, args)];
  },
  forget(tx, at, args) {
    const ids = tx.state.lanes.has(keyOf(at)) ? args.rest() : [];
    for (const id of ids) forgetLetter(tx, at, id);
    return ['OK'];
  },
};

/** Keeps events as dead letters; of one endpoint at most `maxBytes`, the newest. Answers how many had to go. */
function bury(tx: Transaction, at: At, state: LaneState, args: Arguments): number {
  const maxBytes = args.whole();
  const letters = lettersOf(tx, at);
  const bytes = (): number => tx.state.letterBytes.get(keyOf(at)) ?? 0;
  state.letterNumber = Math.max(state.letterNumber, tx.nowMs * 1_000);
  while (!args.isAtEnd) {
    const [id, text] = [args.text(), args.text()];
    state.letterNumber += 1;
    const size = Buffer.byteLength(letters.get(id)?.text ?? '');
    letters.set(id, { text, number: state.letterNumber });
    tx.state.letterBytes.set(keyOf(at), bytes() + Buffer.byteLength(text) - size);
  }
  const room = bytes() > maxBytes ? maxBytes - maxBytes / 32 : maxBytes;
  let gone = 0;
  while (bytes() > room) {
    const [oldest] = [...letters].sort(([, a], [, b]) => a.number - b.number);
    if (oldest === undefined) break;
    forgetLetter(tx, at, oldest[0]);
    gone += 1;
  }
  return gone;
}

function forgetLetter(tx: Transaction, at: At, id: string): void {
  const letters = lettersOf(tx, at);
  const size = Buffer.byteLength(letters.get(id)?.text ?? '');
  tx.state.letterBytes.set(keyOf(at), (tx.state.letterBytes.get(keyOf(at)) ?? 0) - size);
  letters.delete(id);
}

function lettersOf(tx: Transaction, { app, endpoint }: At): Map<string, Letter> {
  const letters = tx.state.letters.get(`${app}:${endpoint}`) ?? new Map<string, Letter>();
  tx.state.letters.set(`${app}:${endpoint}`, letters);
  return letters;
}

function events(lane: Lane, folded: readonly string[], entries: readonly OutboxEntry[], sent: Reply): Reply {
  return [...lane.answer('EVENTS'), lane.firstPosition, folded, entries.map(entryReply), sent];
}

/** The last seq that the endpoint took of each channel. */
function took({ tx, at }: Lane, seqs: string): void {
  const sent = tx.state.sent.get(`${at.app}:${at.endpoint}`) ?? new Map<string, string>();
  tx.state.sent.set(`${at.app}:${at.endpoint}`, sent);
  for (const [, channel = '', last = ''] of seqs.matchAll(/(\S+) (\S+ \d+)/g)) sent.set(channel, last);
}

/** For each channel of these events that the endpoint took something of: the channel and the seq. */
function sentOf({ tx, at }: Lane, folded: readonly string[], entries: readonly OutboxEntry[]): Reply[] {
  if (at.isReplay) return [];
  const sent = tx.state.sent.get(`${at.app}:${at.endpoint}`);
  const channels = new Set([
    ...folded.map((event) => (JSON.parse(event) as { channel: string }).channel),
    ...entries.map((entry) => fieldOf(entry, 'c') ?? ''),
  ]);
  return [...channels].flatMap((channel) => {
    const last = sent?.get(channel);
    return last === undefined ? [] : [channel, last];
  });
}

export function metaOf(batch: BatchState): string {
  const { createdMs, failures, refusedSinceMs, isSplit, count, oldestMs, lastFailure } = batch;
  return [createdMs, failures, refusedSinceMs, isSplit ? 1 : 0, count, oldestMs, lastFailure].join('|');
}

function readBatch(args: Arguments, isSplit: boolean): BatchState {
  return {
    id: args.text(),
    createdMs: args.text(),
    count: args.text(),
    oldestMs: args.text(),
    seqs: args.text(),
    events: args.text(),
    body: args.text(),
    failures: 0,
    refusedSinceMs: '',
    isSplit,
    lastFailure: '',
  };
}
