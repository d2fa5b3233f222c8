import type { TimelineChannel } from '../timeline.ts';

/** What was told of one channel. */
interface ToldChannel {
  readonly appId: string;
  readonly channel: string;
  readonly epoch: string;
  /** Of the last event. */
  readonly seq: number;
  readonly occupied: object | undefined;
  readonly members: ReadonlyMap<string, { readonly seq: number }>;
}

/**
 * What one app was told at one moment, copied step by step. A channel that changes before its turn is copied first, so
 * that all of it is of that moment.
 */
export class ToldCopy {
  readonly channels: TimelineChannel[] = [];
  readonly #appId: string;
  readonly #from: Iterable<ToldChannel>;
  readonly #onEnd: (copy: ToldCopy) => void;
  readonly #seen = new Set<ToldChannel>();

  constructor(appId: string, from: Iterable<ToldChannel>, onEnd: (copy: ToldCopy) => void) {
    this.#appId = appId;
    this.#from = from;
    this.#onEnd = onEnd;
  }

  /** Copies all of it: about as many steps as there are channels and members. */
  *steps(): Iterable<void> {
    try {
      for (const told of this.#from) {
        this.take(told);
        for (let left = told.members.size; left >= 0; left--) yield;
      }
    } finally {
      this.#onEnd(this);
    }
  }

  /** Copies the channel as it is, unless that was done. */
  take(told: ToldChannel): void {
    const { appId, channel, epoch, seq, occupied } = told;
    if (appId !== this.#appId || this.#seen.has(told)) return;
    this.#seen.add(told);
    if (occupied === undefined) return;
    const members = Array.from(told.members, ([userId, member]) => ({ userId, seq: member.seq }));
    this.channels.push({ channel, epoch, seq, members });
  }
}
