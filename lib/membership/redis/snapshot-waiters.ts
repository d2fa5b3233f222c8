import type { MembershipSnapshot } from '../membership-store.ts';
import type { ChannelView } from './channel-view.ts';

/** How long a snapshot waits for a change that is on its way, before the channel is read. */
const waitMs = 1_000;

interface Waiter {
  readonly atLeast: number;
  /** It waited long enough: what is read next is the answer, whatever its version. */
  isOverdue: boolean;
  readonly timer: NodeJS.Timeout;
  readonly resolve: (snapshot: MembershipSnapshot) => void;
  readonly reject: (error: unknown) => void;
}

/** Snapshots of one channel that wait until its view has come to their version. */
export class SnapshotWaiters {
  readonly #waiters = new Set<Waiter>();

  get size(): number {
    return this.#waiters.size;
  }

  /** @param onOverdue It has waited for a second. */
  add(atLeast: number, onOverdue: () => void): Promise<MembershipSnapshot> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiter.isOverdue = true;
        onOverdue();
      }, waitMs).unref();
      const waiter: Waiter = { atLeast, isOverdue: false, timer, resolve, reject };
      this.#waiters.add(waiter);
    });
  }

  /** Answers those whose version is there; when the channel was just read, also those that waited long enough. */
  answerReached(view: ChannelView, isRead: boolean): void {
    const answered = this.#take(
      ({ atLeast, isOverdue }) => (isRead && isOverdue) || hasReached(view, atLeast),
    );
    if (answered.length === 0) return;
    const snapshot = view.snapshot();
    for (const waiter of answered) waiter.resolve(snapshot);
  }

  answerAll(snapshot: MembershipSnapshot): void {
    for (const waiter of this.#take(() => true)) waiter.resolve(snapshot);
  }

  fail(error: unknown): void {
    for (const waiter of this.#take(() => true)) waiter.reject(error);
  }

  #take(isMeant: (waiter: Waiter) => boolean): readonly Waiter[] {
    const taken = [...this.#waiters].filter(isMeant);
    for (const waiter of taken) {
      clearTimeout(waiter.timer);
      this.#waiters.delete(waiter);
    }
    return taken;
  }
}

/** What was changed here counts as the version before it. */
export function hasReached(view: ChannelView, atLeast: number): boolean {
  return view.isLoaded && view.version >= Math.floor(atLeast);
}
