import type { Member } from '../membership-store.ts';
import type { DirtyChannel, DirtyKeys } from './dirty-keys.ts';
import type { Transitions } from './local-channel.ts';

/** What is made here while the store does not hear of it: shown to this node's own subscribers, and told to the store later. */
export class ChangesHere implements Transitions {
  readonly removed = new Set<string>();
  readonly #dirty: DirtyKeys;
  readonly #channel: DirtyChannel;
  readonly #added = new Map<string, Member>();

  constructor(dirty: DirtyKeys, channel: DirtyChannel) {
    this.#dirty = dirty;
    this.#channel = channel;
  }

  get added(): readonly Member[] {
    return [...this.#added.values()];
  }

  /** Users there are more, or less, than in `known`. */
  gainOver(known: ReadonlyMap<string, Member>): number {
    let gain = 0;
    for (const userId of this.#added.keys()) if (!known.has(userId)) gain++;
    for (const userId of this.removed) if (known.has(userId) && !this.#added.has(userId)) gain--;
    return gain;
  }

  userUp(member: Member): void {
    this.#added.set(member.userId, member);
    this.#dirty.came(this.#channel, member.userId);
  }

  userDown({ userId }: Member): void {
    if (!this.#added.delete(userId)) this.removed.add(userId);
    this.#dirty.went(this.#channel, userId);
  }
}
