import { Ring } from '../flow/ring.ts';
import type { Channel } from './channel.ts';

/** Channels with something pending: in first-publish order within an app, one after the other between apps. */
export class DirtyChannels {
  readonly #apps = new Map<string, { first: Channel | undefined; readonly rest: Ring<Channel> }>();
  readonly #turns = new Ring<string>();

  get isEmpty(): boolean {
    return this.#turns.size === 0;
  }

  add(channel: Channel): void {
    this.#queueOf(channel.app.id).rest.push(channel);
  }

  /** The next app's oldest channel, taken out. */
  next(): Channel | undefined {
    const appId = this.#turns.shift();
    const queue = appId === undefined ? undefined : this.#apps.get(appId);
    if (appId === undefined || queue === undefined) return undefined;
    const channel = queue.first ?? queue.rest.shift();
    queue.first = undefined;
    if (queue.rest.size > 0) this.#turns.push(appId);
    else this.#apps.delete(appId);
    return channel;
  }

  /** Puts a channel that is not finished back in front of its app's others. */
  putBack(channel: Channel): void {
    this.#queueOf(channel.app.id).first = channel;
  }

  #queueOf(appId: string): { first: Channel | undefined; readonly rest: Ring<Channel> } {
    let queue = this.#apps.get(appId);
    if (queue === undefined) {
      queue = { first: undefined, rest: new Ring() };
      this.#apps.set(appId, queue);
      this.#turns.push(appId);
    }
    return queue;
  }
}
