import type { ChannelGroup } from './channel-group.ts';

/** Groups under way that tell the store what subscribers here were shown before it knew, by channel. */
export class ShownAhead {
  readonly #groups = new Map<string, Set<ChannelGroup>>();

  has(key: string): boolean {
    return this.#groups.has(key);
  }

  add(group: ChannelGroup): void {
    const { key } = group.channel;
    const groups = this.#groups.get(key);
    if (groups === undefined) this.#groups.set(key, new Set([group]));
    else groups.add(group);
  }

  /** It has its answer. */
  delete(group: ChannelGroup): void {
    const { key } = group.channel;
    const groups = this.#groups.get(key);
    if (groups?.delete(group) === true && groups.size === 0) this.#groups.delete(key);
  }
}
