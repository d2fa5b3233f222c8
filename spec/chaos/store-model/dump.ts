import { canonicalFields, canonicalText } from './canonical.ts';
import { metaOf } from './lane.ts';
import type { ChannelState, HolderState, LaneState, PartitionState } from './partition-state.ts';

/** What Redis has at a key: texts by field, by member or by place. */
export interface Dumped {
  readonly type: string;
  readonly isExpiring: boolean;
  readonly items: Readonly<Record<string, string>>;
}

/** Everything of a partition by the part of the key that follows the partition's own, such as `:st`. */
export type Dump = Readonly<Record<string, Dumped>>;

/** The model's state as Redis would have it. Counters at 0 are left out, as are texts that say nothing (see `withoutNothing`). */
export function dumpModel(state: PartitionState, nowMs: number): Dump {
  const dump: Record<string, Dumped> = {};
  const put = (
    key: string,
    type: string,
    items: Record<string, string | number>,
    isExpiring = false,
  ): void => {
    const texts = withoutNothing(key, items);
    if (Object.keys(texts).length > 0) dump[key] = { type, isExpiring, items: texts };
  };
  putStore(state, put);
  putHolders(state, put);
  for (const [key, channel] of state.channels) {
    if (nowMs < (channel.expiresAtMs ?? Infinity)) putChannel(key, channel, put);
  }
  for (const [app, channels] of state.appChannels) put(`:n:${app}`, 'set', asSet(channels));
  put(':g', 'zset', Object.fromEntries(state.deadlines));
  for (const [app, users] of state.signedIn) put(`:s:${app}`, 'hash', Object.fromEntries(users));
  put(':ea', 'set', asSet(state.endpointApps));
  putOutbox(state, put);
  putEndpoints(state, put);
  for (const [key, lane] of state.lanes) putLane(key, lane, put, state.letterBytes.get(key) ?? 0);
  putLetters(state, put);
  for (const [app, shares] of state.quota) put(`:q:${app}`, 'hash', Object.fromEntries(shares));
  for (const [key, { text, expiresAtMs }] of state.cached) {
    if (nowMs < expiresAtMs) put(`:ce:${key}`, 'string', { '': text }, true);
  }
  for (const [app, untilMs] of state.quotaAsked) {
    if (nowMs < untilMs) put(`:qt:${app}`, 'string', { '': '1' }, true);
  }
  return dump;
}

type Put = (key: string, type: string, items: Record<string, string | number>, isExpiring?: boolean) => void;

function putStore({ store }: PartitionState, put: Put): void {
  if (store === undefined) return;
  put(':st', 'hash', {
    id: store.id,
    gen: store.generation,
    P: store.partitions,
    schema: 1,
    ...(store.owner === undefined ? {} : { own: store.owner }),
    ex: store.epochs,
    ...(store.reconcilesUntilMs === undefined ? {} : { rx: store.reconcilesUntilMs }),
    en: store.epochName,
    w: store.writes,
    vf: store.versionFloor,
    uv: store.userVersion,
  });
}

function putHolders({ holders }: PartitionState, put: Put): void {
  const of = (read: (holder: HolderState, name: string) => Record<string, string | number>) =>
    Object.assign({}, ...[...holders].map(([name, holder]) => read(holder, name))) as Record<string, string>;
  put(
    ':lease',
    'zset',
    of(({ leaseMs }, name) => (leaseMs === undefined ? {} : { [name]: leaseMs })),
  );
  put(
    ':dx',
    'hash',
    of(({ lost }, name) => (lost === undefined ? {} : { [name]: lost.atMs, [`${name}#c`]: lost.cause })),
  );
  put(
    ':b',
    'hash',
    of(({ batch }, name) => (batch === undefined ? {} : { [name]: batch })),
  );
  put(
    ':r',
    'hash',
    of(({ batch, replies }, name) => (batch === undefined ? {} : { [name]: replies.join('\n') })),
  );
  for (const [name, { channels, members, signIns, quotaApps }] of holders) {
    put(`:ic:${name}`, 'set', asSet(channels));
    put(`:iu:${name}`, 'set', asSet(members));
    put(`:is:${name}`, 'set', asSet(signIns));
    put(`:qa:${name}`, 'set', asSet(quotaApps));
  }
}

function putChannel(key: string, channel: ChannelState, put: Put): void {
  const present = [...channel.users.values()].filter(({ holders }) => holders > 0).length;
  const subscriptions = [...channel.holders.values()].reduce((sum, each) => sum + each, 0);
  const fields: Record<string, string | number | undefined> = {
    ...Object.fromEntries(channel.holders),
    '#n': channel.holders.size,
    '#k': subscriptions,
    '#m': present,
    '#v': channel.version,
    '#o': channel.occupiedSeq,
    '#s': channel.numbering?.seq,
    '#e': channel.numbering?.epoch,
    '#g': channel.numbering?.generation,
    '#x': channel.cause,
    '#f': (channel.isCounted ? 1 : 0) + (channel.wantsCounts ? 2 : 0),
    '#ct': channel.countToldMs,
    '#cl': channel.countWaiting,
  };
  const defined = Object.entries(fields).filter(
    (field): field is [string, string | number] => field[1] !== undefined,
  );
  put(`:c:${key}`, 'hash', Object.fromEntries(defined), channel.expiresAtMs !== undefined);
  const users = [...channel.users].map(([user, { holders, seq, cause, info }]): [string, string] => [
    user,
    `${holders}|${seq}|${cause}|${info}`,
  ]);
  put(`:u:${key}`, 'hash', Object.fromEntries(users));
}

function putOutbox({ outbox }: PartitionState, put: Put): void {
  const apps = [...outbox];
  put(':h', 'hash', Object.fromEntries(apps.map(([app, { head }]) => [app, head])));
  put(':ob', 'hash', Object.fromEntries(apps.map(([app, { bytes }]) => [app, bytes])));
  const trimmed = apps.filter(([, { trimmedBytes }]) => trimmedBytes > 0);
  put(':ot', 'hash', Object.fromEntries(trimmed.map(([app, { trimmedBytes }]) => [app, trimmedBytes])));
  for (const [app, { entries }] of apps) {
    put(
      `:o:${app}`,
      'stream',
      Object.fromEntries(entries.map(({ number, fields }) => [`${number}-0`, canonicalFields(fields)])),
    );
  }
}

function putEndpoints({ endpoints, listings, sent }: PartitionState, put: Put): void {
  for (const [app, ofApp] of endpoints) put(`:ep:${app}`, 'hash', Object.fromEntries(ofApp));
  put(':el', 'set', asSet(new Set(listings.keys())));
  for (const [node, listing] of listings) put(`:el:${node}`, 'set', asSet(listing));
  for (const [name, seqs] of sent) put(`:sq:${name}`, 'hash', Object.fromEntries(seqs));
}

function putLane(key: string, lane: LaneState, put: Put, letterBytes: number): void {
  const batches = lane.batches.flatMap((batch): [string, string][] => [
    [`b:${batch.id}`, metaOf(batch)],
    [`s:${batch.id}`, batch.seqs],
    [`v:${batch.id}`, batch.events],
    [`y:${batch.id}`, batch.body],
  ]);
  put(`:${key}`, 'hash', {
    pos: lane.position,
    start: lane.start,
    tok: lane.token,
    bs: lane.batches.map(({ id }) => `${id} `).join(''),
    fb: lane.foldedBytes,
    bb: lane.bodyBytes,
    lo: lane.leftOut,
    dn: lane.letterNumber,
    db: letterBytes,
    ...Object.fromEntries(batches),
  });
  const list = key.replace(/^rl:/, ':rf:').replace(/^l:/, ':fo:');
  put(list, 'list', Object.fromEntries(lane.folded.map((event, at) => [String(at), canonicalText(event)])));
}

function putLetters({ letters, lanes, letterBytes }: PartitionState, put: Put): void {
  for (const [name, ofEndpoint] of letters) {
    put(`:dl:${name}`, 'hash', Object.fromEntries([...ofEndpoint].map(([id, { text }]) => [id, text])));
    put(`:dz:${name}`, 'zset', Object.fromEntries([...ofEndpoint].map(([id, { number }]) => [id, number])));
  }
  for (const [key, bytes] of letterBytes) if (!lanes.has(key)) put(`:${key}`, 'hash', { db: bytes });
}

function asSet(members: ReadonlySet<string>): Record<string, string> {
  return Object.fromEntries([...members].map((member) => [member, '']));
}

/** A counter of a channel or a lane that was never written is as good as one at 0, and no text as good as an empty one. */
export function withoutNothing(key: string, items: Record<string, string | number>): Record<string, string> {
  const isAbsent = (field: string, value: string): boolean => {
    if (/^:c:/.test(key) && field.startsWith('#')) return value === '' || value === '0';
    if (/^:r?l:/.test(key)) return value === '' || value === '0';
    if (key === ':ot') return value === '0';
    return key === ':st' && ['ex', 'w', 'vf', 'uv'].includes(field) && value === '0';
  };
  return Object.fromEntries(
    Object.entries(items)
      .map(([field, value]): [string, string] => [field, String(value)])
      .filter(([field, value]) => !isAbsent(field, value))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}
