import type { Clock } from '../../flow/clock.ts';
import { Recent } from '../../flow/recent.ts';
import type { Member } from '../membership-store.ts';

/** A channel, or a member of one, that this node no longer has. */
interface GivenUpEntry {
  readonly appId: string;
  readonly channel: string;
  readonly member: Member | undefined;
}

const keptMs = 30_000;
const maxEntries = 10_000;

/** What this node gave up lately: a store that is wiped may have told that it came, and nobody that it went. */
export class GivenUp {
  readonly #recent: Recent<GivenUpEntry>;

  constructor(clock: Clock) {
    this.#recent = new Recent(clock, keptMs, maxEntries);
  }

  add(appId: string, channel: string, member?: Member): void {
    const key = member === undefined ? `${appId}:${channel}` : `${appId}:${channel}:${member.userId}`;
    this.#recent.add(key, { appId, channel, member });
  }

  /** Of the last 30 s, at most 10,000. */
  recent(): readonly GivenUpEntry[] {
    return this.#recent.values();
  }
}
