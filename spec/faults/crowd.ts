import { LoadProcess } from '../../bench/support/load-process.ts';
import type { AppState } from '../chaos/cluster/agreement.ts';
import { apps } from '../chaos/cluster/apps.ts';

/** Every other socket is in a plain channel, the others in a presence channel, each as a user of its own. */
const prefixes = ['plain-', 'presence-'];
const inFlight = 500;

/** Many sockets of app one in processes of their own, over as many plain channels as presence channels. */
export class Crowd {
  readonly sockets: number;
  readonly #channelCount: number;
  readonly #parts: readonly { readonly load: LoadProcess; readonly userPrefix: string }[];

  /** @param channels Half of them plain. @param parts Processes, each with as many of the sockets. */
  constructor(sockets: number, channels: number, parts = 2) {
    this.sockets = sockets;
    this.#channelCount = channels / prefixes.length;
    this.#parts = Array.from({ length: parts }, (_, index) => ({
      load: new LoadProcess('crowd', true),
      userPrefix: `one-part${index}`,
    }));
  }

  /** Everybody connects, each part to a port of its own in turn. Answers how long it took until all were subscribed. */
  async open(ports: readonly number[]): Promise<number> {
    const startedMs = performance.now();
    const { key, secret } = apps.one;
    const opened = this.#parts.map(({ load, userPrefix }, index) =>
      load.ask('open', {
        ...{ key, secret, userPrefix, prefixes, inFlight },
        protocol: 'pusher',
        port: ports[index % ports.length],
        count: this.#perPart,
        channelCount: this.#channelCount,
      }),
    );
    await Promise.all(opened);
    return Math.round(performance.now() - startedMs);
  }

  /** All sockets end at once. */
  async drop(way: 'end' | 'reset'): Promise<void> {
    await Promise.all(this.#parts.map(({ load }) => load.ask('drop', { way })));
  }

  /** What there is in the store while all are connected. */
  get state(): AppState {
    const users = new Map<string, string[]>();
    for (const { userPrefix } of this.#parts) {
      for (let index = 0; index < this.#perPart; index++) {
        const nth = Math.floor(index / prefixes.length) % this.#channelCount;
        const channel = `${prefixes[index % prefixes.length]}${nth}`;
        const there = users.get(channel) ?? [];
        users.set(channel, there);
        there.push(`${userPrefix}-${index}`);
      }
    }
    return Object.fromEntries(
      [...users].map(([channel, ids]) => [
        channel,
        { users: channel.startsWith('presence-') ? ids : [], subscriptions: ids.length },
      ]),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.#parts.map(({ load }) => load.kill()));
  }

  get #perPart(): number {
    return this.sockets / this.#parts.length;
  }
}
