import type { Clock } from '../../flow/clock.ts';
import { Deadline, DeadlineQueue } from './deadline-queue.ts';
import type { LifecycleEvent, LifecycleKind } from '../outbox-event.ts';
import { ToldCopy } from './told-copy.ts';

/** A channel or a user that outsiders were told is there. Armed for grace: it is not, and they are not told yet. */
class Presence extends Deadline<Presence> {
  readonly ledger: ChannelLedger;
  /** Undefined: the channel itself. */
  readonly userId: string | undefined;
  /** Of the event that told it. */
  readonly seq: number;

  constructor(ledger: ChannelLedger, userId: string | undefined, seq: number) {
    super();
    this.ledger = ledger;
    this.userId = userId;
    this.seq = seq;
  }
}

/** What was told of one channel. */
interface ChannelLedger {
  readonly appId: string;
  readonly channel: string;
  readonly epoch: string;
  /** Of the last event. */
  seq: number;
  occupied: Presence | undefined;
  readonly members: Map<string, Presence>;
}

/** A ledger as it is spooled. */
export interface LedgerRecord {
  readonly appId: string;
  readonly channel: string;
  readonly epoch: string;
  readonly seq: number;
  readonly vacatedAtMs?: number;
  readonly occupied?: { readonly seq: number };
  readonly members: readonly (readonly [userId: string, seq: number])[];
}

export interface LedgerOptions {
  readonly clock: Clock;
  readonly graceMs: number;
  /** How long a vacated channel's `seq` goes on where it was. */
  readonly retainMs: number;
  readonly newEpoch: () => string;
  /** Takes each event in the step that made it. */
  readonly tell: (event: LifecycleEvent) => void;
  /** A vacated channel is remembered no longer: its next event begins an epoch. */
  readonly onForgotten: (appId: string, channel: string, epoch: string) => void;
}

const maxRemembered = 100_000;
/** Channels forgotten in one go. */
const forgottenAtOnce = 500;

/**
 * What outsiders were told of every channel, and the grace before they are told that somebody left: who comes back within
 * it never left. Gives each event its `seq` in the moment it is told.
 */
export class LifecycleLedger {
  readonly #options: LedgerOptions;
  readonly #apps = new Map<string, Map<string, ChannelLedger>>();
  readonly #grace: DeadlineQueue<Presence>;
  /** Channels told vacated and when, the longest vacated first. */
  readonly #vacated = new Map<ChannelLedger, number>();
  readonly #copies = new Set<ToldCopy>();
  #size = 0;

  constructor(options: LedgerOptions) {
    this.#options = options;
    this.#grace = new DeadlineQueue(options.clock, options.graceMs, (presence) => this.#tellGone(presence));
  }

  get armed(): number {
    return this.#grace.size;
  }

  /** Channels, the vacated ones that are remembered among them. */
  get size(): number {
    return this.#size;
  }

  occupied(appId: string, channel: string): void {
    const ledger = this.#ledgerOf(appId, channel);
    if (ledger.occupied !== undefined) {
      this.#grace.cancel(ledger.occupied);
      return;
    }
    this.#vacated.delete(ledger);
    const event = this.#next(ledger, 'channel_occupied', undefined);
    ledger.occupied = new Presence(ledger, undefined, event.seq);
    this.#options.tell(event);
  }

  vacated(appId: string, channel: string): void {
    this.#gone(this.#apps.get(appId)?.get(channel)?.occupied);
  }

  memberAdded(appId: string, channel: string, userId: string): void {
    const ledger = this.#ledgerOf(appId, channel);
    const present = ledger.members.get(userId);
    if (present !== undefined) {
      this.#grace.cancel(present);
      return;
    }
    const event = this.#next(ledger, 'member_added', userId);
    ledger.members.set(userId, new Presence(ledger, userId, event.seq));
    this.#options.tell(event);
  }

  memberRemoved(appId: string, channel: string, userId: string): void {
    this.#gone(this.#apps.get(appId)?.get(channel)?.members.get(userId));
  }

  settle(): void {
    this.#grace.settle();
  }

  close(): void {
    this.#grace.close();
  }

  /** What is told to be there at this moment, to be copied in steps. */
  copy(appId: string): ToldCopy {
    const copy = new ToldCopy(appId, this.#apps.get(appId)?.values() ?? [], (one) =>
      this.#copies.delete(one),
    );
    this.#copies.add(copy);
    return copy;
  }

  /** What is told to be there, as the events that told it, per channel in order of `seq`. */
  *snapshot(appId: string): Iterable<LifecycleEvent> {
    const atMs = this.#options.clock.now();
    for (const { occupied, members } of this.#apps.get(appId)?.values() ?? []) {
      if (occupied === undefined) continue;
      yield snapshotOf(occupied, atMs);
      for (const member of members.values()) yield snapshotOf(member, atMs);
    }
  }

  /** Forgets channels that were vacated before the retention. True: there may be more. */
  forgetExpired(): boolean {
    const beforeMs = this.#options.clock.now() - this.#options.retainMs;
    return this.#forgetOldest((atMs) => atMs < beforeMs);
  }

  *records(): Iterable<LedgerRecord> {
    for (const [ledger, vacatedAtMs] of this.#vacated) yield { ...recordOf(ledger), vacatedAtMs };
    for (const channels of this.#apps.values()) {
      for (const ledger of channels.values()) if (!this.#vacated.has(ledger)) yield recordOf(ledger);
    }
  }

  restore(record: LedgerRecord): void {
    const { appId, channel, epoch, seq, occupied, members, vacatedAtMs } = record;
    const ledger: ChannelLedger = { appId, channel, epoch, seq, occupied: undefined, members: new Map() };
    this.#add(ledger);
    for (const [userId, memberSeq] of members) {
      ledger.members.set(userId, new Presence(ledger, userId, memberSeq));
    }
    if (occupied !== undefined) ledger.occupied = new Presence(ledger, undefined, occupied.seq);
    if (vacatedAtMs !== undefined) this.#vacated.set(ledger, vacatedAtMs);
  }

  /** Nobody is there any more, after a restart: everybody has a grace to come back, as after any loss of connections. */
  allGone(): void {
    for (const channels of this.#apps.values()) {
      for (const { occupied, members } of channels.values()) {
        for (const member of members.values()) this.#gone(member);
        this.#gone(occupied);
      }
    }
  }

  #gone(presence: Presence | undefined): void {
    if (presence === undefined) return;
    if (this.#options.graceMs === 0) this.#tellGone(presence);
    else this.#grace.arm(presence);
  }

  #tellGone({ ledger, userId }: Presence): void {
    this.#copyFirst(ledger);
    if (userId === undefined) {
      ledger.occupied = undefined;
      this.#vacated.set(ledger, this.#options.clock.now());
      this.#options.tell(this.#next(ledger, 'channel_vacated', undefined));
      if (this.#vacated.size > maxRemembered) this.#forgetOldest(() => true);
    } else {
      ledger.members.delete(userId);
      this.#options.tell(this.#next(ledger, 'member_removed', userId));
    }
  }

  #next(ledger: ChannelLedger, kind: LifecycleKind, userId: string | undefined): LifecycleEvent {
    this.#copyFirst(ledger);
    const { appId, channel, epoch } = ledger;
    const seq = ++ledger.seq;
    const user = userId === undefined ? {} : { userId };
    return {
      kind,
      id: `${epoch}-${seq}`,
      appId,
      channel,
      atMs: this.#options.clock.now(),
      ...user,
      epoch,
      seq,
    };
  }

  /** The ledger is about to change. */
  #copyFirst(ledger: ChannelLedger): void {
    for (const copy of this.#copies) copy.take(ledger);
  }

  #ledgerOf(appId: string, channel: string): ChannelLedger {
    const known = this.#apps.get(appId)?.get(channel);
    if (known !== undefined && !this.#isExpired(known)) return known;
    if (known !== undefined) this.#forget(known);
    const epoch = this.#options.newEpoch();
    const ledger: ChannelLedger = { appId, channel, epoch, seq: 0, occupied: undefined, members: new Map() };
    this.#add(ledger);
    return ledger;
  }

  #isExpired(ledger: ChannelLedger): boolean {
    const atMs = this.#vacated.get(ledger);
    return atMs !== undefined && atMs < this.#options.clock.now() - this.#options.retainMs;
  }

  #add(ledger: ChannelLedger): void {
    let channels = this.#apps.get(ledger.appId);
    if (channels === undefined) {
      channels = new Map<string, ChannelLedger>();
      this.#apps.set(ledger.appId, channels);
    }
    channels.set(ledger.channel, ledger);
    this.#size++;
  }

  /** Several at once: finding the first of a map of which the first are deleted takes time. True: there may be more. */
  #forgetOldest(mayGo: (vacatedAtMs: number) => boolean): boolean {
    let left = forgottenAtOnce;
    for (const [ledger, atMs] of this.#vacated) {
      if (!mayGo(atMs)) return false;
      if (left-- === 0) return true;
      this.#forget(ledger);
    }
    return false;
  }

  #forget(ledger: ChannelLedger): void {
    const { appId, channel, epoch } = ledger;
    this.#vacated.delete(ledger);
    this.#size--;
    const channels = this.#apps.get(appId);
    channels?.delete(channel);
    if (channels?.size === 0) this.#apps.delete(appId);
    this.#options.onForgotten(appId, channel, epoch);
  }
}

/** It enters the outbox now, however long ago it happened. */
function snapshotOf({ ledger, userId, seq }: Presence, atMs: number): LifecycleEvent {
  const { appId, channel, epoch } = ledger;
  const kind = userId === undefined ? 'channel_occupied' : 'member_added';
  const user = userId === undefined ? {} : { userId };
  return { kind, id: `${epoch}-${seq}`, appId, channel, atMs, ...user, epoch, seq, cause: 'snapshot' };
}

function recordOf({ appId, channel, epoch, seq, occupied, members }: ChannelLedger): LedgerRecord {
  return {
    appId,
    channel,
    epoch,
    seq,
    ...(occupied === undefined ? {} : { occupied: { seq: occupied.seq } }),
    members: Array.from(members.values(), (member) => [member.userId ?? '', member.seq]),
  };
}
