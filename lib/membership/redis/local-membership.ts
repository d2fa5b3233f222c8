import type { Clock } from '../../flow/clock.ts';
import { GivenUp } from './given-up.ts';
import { keyOf, LocalChannel } from './local-channel.ts';

/** The channels of one partition that this node's own connections are in. */
export class LocalMembership {
  readonly givenUp: GivenUp;
  readonly #channels = new Map<string, LocalChannel>();

  constructor(clock: Clock) {
    this.givenUp = new GivenUp(clock);
  }

  get channels(): Iterable<LocalChannel> {
    return this.#channels.values();
  }

  find(appId: string, name: string): LocalChannel | undefined {
    return this.#channels.get(keyOf({ appId, name }));
  }

  of(appId: string, name: string): LocalChannel {
    const key = keyOf({ appId, name });
    let channel = this.#channels.get(key);
    if (channel === undefined) {
      channel = new LocalChannel(appId, name, this.givenUp);
      this.#channels.set(key, channel);
    }
    return channel;
  }

  /** Nothing is kept of a channel without subscribers. */
  forgetIfEmpty(channel: LocalChannel): void {
    if (channel.subscribers.size > 0) return;
    if (this.#channels.get(channel.key) === channel) this.#channels.delete(channel.key);
  }
}
