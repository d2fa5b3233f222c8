import type { App } from '../apps/app.ts';
import type { ChannelName } from '../protocol/channel-name.ts';
import { Channel } from './channel.ts';

/** The channels that this node has anything to do with. A channel exists from its first joiner until it is idle. */
export class ChannelRegistry {
  readonly #apps = new Map<string, Map<string, Channel>>();
  readonly #onInterest: (appId: string, channel: string, interested: boolean) => void;
  #size = 0;

  /** @param onInterest Told when a channel comes into being here and when it goes. */
  constructor(onInterest: (appId: string, channel: string, interested: boolean) => void) {
    this.#onInterest = onInterest;
  }

  get size(): number {
    return this.#size;
  }

  find(appId: string, channel: string): Channel | undefined {
    return this.#apps.get(appId)?.get(channel);
  }

  findOrCreate(app: App, name: ChannelName): Channel {
    let channels = this.#apps.get(app.id);
    if (channels === undefined) {
      channels = new Map<string, Channel>();
      this.#apps.set(app.id, channels);
    }
    let channel = channels.get(name.name);
    if (channel === undefined) {
      channel = new Channel(app, name);
      channels.set(name.name, channel);
      this.#size++;
      this.#onInterest(app.id, name.name, true);
    }
    return channel;
  }

  /** Forgets the channel if nothing refers to it any more. */
  release(channel: Channel): void {
    const channels = this.#apps.get(channel.app.id);
    if (!channel.isIdle || channels?.get(channel.name.name) !== channel) return;
    channels.delete(channel.name.name);
    if (channels.size === 0) this.#apps.delete(channel.app.id);
    this.#size--;
    this.#onInterest(channel.app.id, channel.name.name, false);
  }
}
