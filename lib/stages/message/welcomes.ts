import type { RecalledEvent } from '../../cache/cached-events.ts';
import type { Channel } from '../../channels/channel.ts';
import { writesPerSlice } from '../../channels/fanout.ts';
import { netFrames } from '../../channels/net-changes.ts';
import type { JoiningSubscription } from '../../channels/subscription.ts';
import { toSpillwayError } from '../../errors/spillway-error.ts';
import { Deferred } from './deferred.ts';
import { andThen, type MaybePromise, recover } from '../../flow/maybe-promise.ts';
import type { MembershipSnapshot } from '../../membership/membership-store.ts';
import { presenceSucceeded } from '../../protocol/server-messages.ts';
import { encodeTextFrame } from '../../protocol/websocket-frame.ts';
import type { Services } from '../services.ts';
import { type Success, succeed } from './succeed.ts';

/** Snapshots written in one go; then other work of the event loop has its turn. */
const bytesPerSlice = 4 * 1024 * 1024;

type Needs = Pick<Services, 'announcer' | 'fanout' | 'membership' | 'subscriptions' | 'telemetry'>;

interface Joiner {
  readonly joining: JoiningSubscription;
  readonly cached: RecalledEvent | undefined;
  /** Whether it was told that its cache channel holds no event. */
  readonly answer: Deferred<boolean>;
}

/** Joiners that are shown the same snapshot. */
interface Batch {
  readonly channel: Channel;
  readonly joiners: readonly Joiner[];
  /** Those before this one have their answer. */
  next: number;
}

/**
 * Answers those who join a presence channel, together: the members are read and encoded once for everybody who joined in
 * the same window of the channel. Nobody waits after a quiet window. One batch of a channel is under way at a time.
 */
export class Welcomes {
  readonly #services: Needs;
  readonly #joiners = new Map<Channel, Joiner[]>();
  readonly #underWay = new Set<Channel>();
  #waiting = 0;
  #snapshots = 0;
  #welcomed = 0;

  constructor(services: Needs) {
    this.#services = services;
  }

  /** Joiners that wait for their answer. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Snapshots that were encoded since the start. */
  get snapshots(): number {
    return this.#snapshots;
  }

  /** Joiners that were shown one. */
  get welcomed(): number {
    return this.#welcomed;
  }

  /**
   * Answers a joiner that the store has taken in, unless its connection closes before that. The result is whether it was
   * told that its cache channel holds no event.
   */
  welcome(joining: JoiningSubscription, cached: RecalledEvent | undefined): MaybePromise<boolean> {
    const { channel } = joining;
    const joiner: Joiner = { joining, cached, answer: new Deferred() };
    const joiners = this.#joiners.get(channel);
    if (joiners === undefined) this.#joiners.set(channel, [joiner]);
    else joiners.push(joiner);
    this.#waiting++;
    this.#follow(channel);
    return joiner.answer.result();
  }

  /** A batch comes with the channel's next announcement, or behind the one that is under way. */
  #follow(channel: Channel): void {
    if (this.#underWay.has(channel) || !this.#joiners.has(channel)) return;
    this.#services.announcer.follow(channel, () => this.#begin(channel));
  }

  #begin(channel: Channel): void {
    const joiners = this.#joiners.get(channel) ?? [];
    this.#joiners.delete(channel);
    this.#underWay.add(channel);
    const batch: Batch = { channel, joiners, next: 0 };
    channel.announcing.beginHolding();
    void recover(
      () => andThen(this.#read(batch), (snapshot) => this.#show(batch, snapshot)),
      (error) => this.#fail(batch, error),
    );
  }

  #read({ channel, joiners }: Batch): MaybePromise<MembershipSnapshot | undefined> {
    if (!joiners.some(({ joining }) => this.#services.subscriptions.isCurrent(joining))) return undefined;
    return this.#services.membership.snapshot(channel.app.id, channel.name.name);
  }

  #show(batch: Batch, snapshot: MembershipSnapshot | undefined): void {
    if (snapshot === undefined) {
      this.#end(batch);
      return;
    }
    const startedMs = performance.now();
    const { channel } = batch;
    const members = snapshot.members.map(({ userId, userInfoJson }) => [userId, userInfoJson] as const);
    const frame = encodeTextFrame(presenceSucceeded(channel.name.name, members));
    this.#snapshots++;
    channel.announcing.costMs += performance.now() - startedMs;
    this.#showSome(batch, { frame, version: snapshot.version });
  }

  /** Answers as many as one turn of the event loop has room for. */
  #showSome(batch: Batch, shown: Omit<Success, 'since'>): void {
    const { channel, joiners } = batch;
    const { held } = channel.announcing;
    if (held === undefined) {
      this.#putBack(batch);
      return;
    }
    const startedMs = performance.now();
    const since = netFrames(held.filter(({ version }) => version > shown.version))?.bytes;
    const bytes = shown.frame.length + (since?.length ?? 0);
    const room = Math.max(1, Math.min(writesPerSlice, Math.floor(bytesPerSlice / bytes)));
    const slice = joiners.slice(batch.next, batch.next + room);
    batch.next += slice.length;
    for (const joiner of slice) this.#answer(joiner, { ...shown, since });
    channel.announcing.costMs += performance.now() - startedMs;
    if (batch.next < joiners.length) setImmediate(() => this.#showSome(batch, shown));
    else this.#end(batch);
  }

  #answer({ joining, cached, answer }: Joiner, success: Success): void {
    this.#waiting--;
    if (!this.#services.subscriptions.isCurrent(joining)) {
      answer.resolve(false);
      return;
    }
    this.#welcomed++;
    // Nobody else's answer depends on this one's.
    void recover(
      () => answer.resolve(succeed(this.#services, joining, success, cached)),
      (error) => answer.reject(toSpillwayError(error)),
    );
  }

  /** More was announced meanwhile than can be held: those who are left are shown a newer snapshot. */
  #putBack(batch: Batch): void {
    const { channel, joiners } = batch;
    const left = joiners.slice(batch.next);
    this.#joiners.set(channel, [...left, ...(this.#joiners.get(channel) ?? [])]);
    batch.next = joiners.length;
    this.#end(batch);
  }

  #fail(batch: Batch, error: unknown): void {
    const details = { channel: batch.channel.name.name };
    for (const { answer } of batch.joiners.slice(batch.next)) {
      this.#waiting--;
      answer.reject(toSpillwayError(error, 'subscription.failed', details));
    }
    batch.next = batch.joiners.length;
    this.#end(batch);
  }

  /** Whoever has no answer yet is gone. */
  #end({ channel, joiners, next }: Batch): void {
    for (const { answer } of joiners.slice(next)) {
      this.#waiting--;
      answer.resolve(false);
    }
    channel.announcing.endHolding();
    this.#underWay.delete(channel);
    this.#follow(channel);
  }
}
