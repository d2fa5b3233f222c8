import type { Clock } from '../../flow/clock.ts';
import { Deadline, DeadlineQueue } from './deadline-queue.ts';

/** A counted channel that was told lately. */
class Told extends Deadline<Told> {
  readonly appId: string;
  readonly channel: string;
  /** Not told yet. */
  latest: number | undefined = undefined;

  constructor(appId: string, channel: string) {
    super();
    this.appId = appId;
    this.channel = channel;
  }
}

/** Up to this many subscriptions every change is told. */
const untilSubscriptions = 100;
const intervalMs = 5_000;

/** Subscription counts as they are told: of larger channels at most one in 5 s, and the last one always. */
export class CountThrottle {
  readonly #tell: (appId: string, channel: string, subscriptions: number) => void;
  readonly #told = new Map<string, Told>();
  readonly #intervals: DeadlineQueue<Told>;

  constructor(clock: Clock, tell: (appId: string, channel: string, subscriptions: number) => void) {
    this.#tell = tell;
    this.#intervals = new DeadlineQueue(clock, intervalMs, (told) => this.#elapsed(told));
  }

  counted(appId: string, channel: string, subscriptions: number): void {
    const told = this.#told.get(keyOf(appId, channel));
    if (subscriptions <= untilSubscriptions) {
      if (told !== undefined) told.latest = undefined;
      this.#tell(appId, channel, subscriptions);
    } else if (told !== undefined) {
      told.latest = subscriptions;
    } else {
      this.#tell(appId, channel, subscriptions);
      this.#begin(appId, channel);
    }
  }

  /** Tells now what waits. */
  settle(): void {
    this.#intervals.settle();
  }

  close(): void {
    this.#intervals.close();
  }

  #begin(appId: string, channel: string): void {
    const told = new Told(appId, channel);
    this.#told.set(keyOf(appId, channel), told);
    this.#intervals.arm(told);
  }

  #elapsed({ appId, channel, latest }: Told): void {
    this.#told.delete(keyOf(appId, channel));
    if (latest === undefined) return;
    this.#tell(appId, channel, latest);
    this.#begin(appId, channel);
  }
}

function keyOf(appId: string, channel: string): string {
  return `${appId} ${channel}`;
}
