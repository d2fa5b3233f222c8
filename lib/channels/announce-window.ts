import type { MembershipAnnouncement } from '../membership/membership-store.ts';

/** What came since the last announcement is at most this much; joiners whose snapshot is read hold as much. */
export const maxPendingAnnouncements = 1_024;

/** What a channel has yet to announce, when it last did, and what its next announcement waits for. */
export class AnnounceWindow {
  /** When the window was opened, by an announcement or a welcome. */
  openedAtMs = Number.NEGATIVE_INFINITY;
  /** What the last announcement and the welcome behind it cost: encoding and writing. */
  costMs = 0;
  /** Called right behind the next announcement. */
  followUp: (() => void) | undefined = undefined;
  /** Ends the wait for the next announcement, when there is one. */
  cancelWait: (() => void) | undefined = undefined;

  #pending: MembershipAnnouncement[] = [];
  #held: MembershipAnnouncement[] | undefined = undefined;
  /** Versions that subscribers were shown and that lie ahead of what was announced, in rising order. */
  #shown: number[] = [];

  get pending(): number {
    return this.#pending.length;
  }

  add(announcement: MembershipAnnouncement): void {
    this.#pending.push(announcement);
  }

  /** A subscriber was shown the channel at this version. */
  shown(version: number): void {
    if (version > (this.#shown.at(-1) ?? 0)) this.#shown.push(version);
  }

  /** Everything that is pending, in version order, with the versions inside that some subscriber was shown. */
  take(): { readonly announcements: readonly MembershipAnnouncement[]; readonly shown: readonly number[] } {
    const [announcements, shown] = [this.#pending, this.#shown];
    this.#pending = [];
    const upTo = announcements.at(-1)?.version ?? 0;
    this.#shown = shown.filter((version) => version > upTo);
    this.#hold(announcements);
    return { announcements, shown };
  }

  /** Nobody is there to be told: forgets what is pending, and answers how much it was. */
  clear(): number {
    const { pending } = this;
    this.#pending = [];
    this.#shown = [];
    return pending;
  }

  /** From here on what is announced is held as well, for joiners whose snapshot is being read. */
  beginHolding(): void {
    this.#held = [];
  }

  get isHolding(): boolean {
    return this.#held !== undefined;
  }

  /** What was announced since; undefined when it was too much to be held. */
  get held(): readonly MembershipAnnouncement[] | undefined {
    return this.#held;
  }

  endHolding(): void {
    this.#held = undefined;
  }

  #hold(announcements: readonly MembershipAnnouncement[]): void {
    if (this.#held === undefined) return;
    if (this.#held.length + announcements.length > maxPendingAnnouncements) this.#held = undefined;
    else this.#held.push(...announcements);
  }
}
