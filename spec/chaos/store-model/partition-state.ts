/** A user of a channel whose `member_added` was told. */
export interface MemberState {
  /** Nodes with a connection of the user; 0: the user is gone, and the grace goes on. */
  holders: number;
  /** Of the `member_added`, in the epoch of the channel. */
  seq: number;
  /** Why the removal that is due will be told, where it was not plainly what happened. */
  cause: string;
  /** '-' none, or '=' and its JSON text. */
  info: string;
}

/** Lifecycle events of a channel are numbered within an epoch. */
export interface Numbering {
  readonly epoch: string;
  /** Generation of the store in which it began. */
  readonly generation: number;
  seq: number;
}

export interface ChannelState {
  /** Holder → its subscriptions, more than 0. */
  readonly holders: Map<string, number>;
  readonly users: Map<string, MemberState>;
  /** Undefined: nobody was here yet, or not for so long that it was forgotten. */
  version: number | undefined;
  numbering: Numbering | undefined;
  /** Seq of the event that told it occupied; undefined: it is not told occupied. */
  occupiedSeq: number | undefined;
  /** Of the vacating that is due. */
  cause: string | undefined;
  /** Of the last group. */
  isCounted: boolean;
  wantsCounts: boolean;
  /** When a count above 100 was last told. */
  countToldMs: number | undefined;
  /** The count that waits to be told. */
  countWaiting: number | undefined;
  /** Vacated: forgotten at this time. */
  expiresAtMs: number | undefined;
}

/** What the store knows of a node that writes to the partition: its last batch, and everything it holds. */
export interface HolderState {
  leaseMs: number | undefined;
  /** Fenced: when its lease ran out, and the cause of its leaves. */
  lost: { readonly atMs: number; readonly cause: string } | undefined;
  batch: number | undefined;
  replies: readonly string[];
  /** `<app>:<channel>` */
  readonly channels: Set<string>;
  /** `<app>:<channel>:<user>` */
  readonly members: Set<string>;
  /** `<app>:<user>` */
  readonly signIns: Set<string>;
  readonly quotaApps: Set<string>;
}

export interface OutboxEntry {
  readonly number: number;
  /** Name and value in turn. */
  readonly fields: readonly string[];
}

export interface OutboxState {
  /** Number of the last entry. */
  head: number;
  /** Appended in all: 32 for each entry, and its values. */
  bytes: number;
  /** Of these, what is gone. */
  trimmedBytes: number;
  readonly entries: OutboxEntry[];
}

/** What goes to an endpoint in one request, the same each time. */
export interface BatchState {
  readonly id: string;
  readonly createdMs: string;
  failures: number;
  /** '' when it was not refused. */
  refusedSinceMs: string;
  readonly isSplit: boolean;
  readonly count: string;
  readonly oldestMs: string;
  lastFailure: string;
  /** `<channel> <epoch> <seq>` of each channel in it, in lines. */
  readonly seqs: string;
  readonly events: string;
  readonly body: string;
}

/** An endpoint's way through the outbox of its app, or what of it is sent again. */
export interface LaneState {
  /** Number of the last entry that was passed; on a replay lane how many events were. */
  position: number;
  readonly start: number;
  /** Raised by whoever changes what was read. */
  token: number;
  batches: BatchState[];
  /** Events that lie before the entries: JSON. */
  folded: string[];
  foldedBytes: number;
  bodyBytes: number;
  /** Events that folding left out. */
  leftOut: number;
  /** Number of the last dead letter. */
  letterNumber: number;
}

export interface Letter {
  readonly text: string;
  readonly number: number;
}

export interface StoreIdentity {
  id: string;
  /** Raised when something was lost: on a wipe, and when a node knows of a later batch or of more writes than the store. */
  generation: number;
  /** The name of epochs in this generation, and in no other, those that were lost included. */
  epochName: string;
  /** Scripts that changed what is held or told. */
  writes: number;
  readonly partitions: number;
  /** The holder that tells the partition's events. */
  owner: string | undefined;
  /** Number of the last epoch: when it began in ms, or one more than the epoch before it. */
  epochs: number;
  /** What is told before without a cause is reconciled; undefined: nothing was lost yet. */
  reconcilesUntilMs: number | undefined;
  /** No version of a channel that was forgotten is above it. */
  versionFloor: number;
  userVersion: number;
}

export interface CachedText {
  readonly text: string;
  readonly expiresAtMs: number;
}

/** Everything the store has in one partition. Plain data, so that it can be copied. */
export interface PartitionState {
  store: StoreIdentity | undefined;
  readonly holders: Map<string, HolderState>;
  /** By `<app>:<channel>`. */
  readonly channels: Map<string, ChannelState>;
  /** App → its channels that have subscriptions, or were told occupied. */
  readonly appChannels: Map<string, Set<string>>;
  /** `m:<app>:<channel>:<user>`, `v:<app>:<channel>` or `w:<app>:<channel>` → when it is due. */
  readonly deadlines: Map<string, number>;
  /** App → user → nodes the user is signed in on. */
  readonly signedIn: Map<string, Map<string, number>>;
  readonly endpointApps: Set<string>;
  /** App → endpoint → '' or when it was retired. */
  readonly endpoints: Map<string, Map<string, string>>;
  /** Node → `<app>:<endpoint>` of its configuration. */
  readonly listings: Map<string, Set<string>>;
  /** By `l:<app>:<endpoint>`; what is sent again by `rl:<app>:<endpoint>`. */
  readonly lanes: Map<string, LaneState>;
  /** Of dead letters, by lane. */
  readonly letterBytes: Map<string, number>;
  /** By `<app>:<endpoint>`: event id → dead letter. */
  readonly letters: Map<string, Map<string, Letter>>;
  /** By `<app>:<endpoint>`: channel → epoch and seq that the endpoint took last. */
  readonly sent: Map<string, Map<string, string>>;
  readonly outbox: Map<string, OutboxState>;
  /** App → holder → its share of the app's connections. */
  readonly quota: Map<string, Map<string, number>>;
  /** App → until when its holders are not asked again to give shares back. */
  readonly quotaAsked: Map<string, number>;
  /** By `<app>:<channel>`. */
  readonly cached: Map<string, CachedText>;
}

export function emptyPartition(): PartitionState {
  return {
    store: undefined,
    holders: new Map(),
    channels: new Map(),
    appChannels: new Map(),
    deadlines: new Map(),
    signedIn: new Map(),
    endpointApps: new Set(),
    endpoints: new Map(),
    listings: new Map(),
    lanes: new Map(),
    letterBytes: new Map(),
    letters: new Map(),
    sent: new Map(),
    outbox: new Map(),
    quota: new Map(),
    quotaAsked: new Map(),
    cached: new Map(),
  };
}

export function emptyChannel(): ChannelState {
  return {
    holders: new Map(),
    users: new Map(),
    version: undefined,
    numbering: undefined,
    occupiedSeq: undefined,
    cause: undefined,
    isCounted: false,
    wantsCounts: false,
    countToldMs: undefined,
    countWaiting: undefined,
    expiresAtMs: undefined,
  };
}

export function emptyHolder(): HolderState {
  return {
    leaseMs: undefined,
    lost: undefined,
    batch: undefined,
    replies: [],
    channels: new Set(),
    members: new Set(),
    signIns: new Set(),
    quotaApps: new Set(),
  };
}
