import { type ApiAnswer, TestApi } from '../../support/api.ts';
import type { AppState } from './agreement.ts';
import { type AppName, apps, isPresence } from './apps.ts';
import type { Tick } from './socket-view.ts';

/** The HTTP API of one process of a node: its messages, one at a time, and what it answers about channels. */
export class Publisher {
  readonly name: string;
  /** Messages answered with 200. */
  published = 0;
  readonly #apis: Readonly<Record<AppName, TestApi>>;
  readonly #refusals: string[] = [];
  #n = 0;
  #isBusy = false;

  constructor(name: string, port: number) {
    this.name = name;
    const apiOf = (app: AppName): TestApi => {
      const { id, key, secret } = apps[app];
      return new TestApi({ port, appId: id, key, secret });
    };
    this.#apis = { one: apiOf('one'), two: apiOf('two') };
  }

  /** Messages that were not answered with 200. */
  get refusals(): readonly string[] {
    return this.#refusals;
  }

  /** Nothing while the message before is not answered. A process that dies answers nothing more. */
  async tick(app: AppName, channel: string): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      await this.publish(app, channel);
      this.#isBusy = false;
    } catch (error) {
      if (error instanceof Refused) this.#refusals.push(`${this.name}: ${error.message}`);
      else if (!isGone(error)) throw error;
    }
  }

  /** Answers the number of the message. */
  async publish(app: AppName, channel: string): Promise<number> {
    const n = ++this.#n;
    const message: Tick = { app, channel, from: this.name, n };
    expectOk(await this.#apis[app].trigger(channel, 'tick', message), `a message to ${channel}`);
    this.published += 1;
    return n;
  }

  /** Occupied channels with their subscriptions and users, as this node answers. */
  async stateOf(app: AppName): Promise<AppState> {
    const api = this.#apis[app];
    const listed = expectOk(await api.get('/channels', { info: 'subscription_count' }), 'the channels') as {
      readonly channels: Readonly<Record<string, { readonly subscription_count: number }>>;
    };
    const entries = Object.entries(listed.channels).map(
      async ([channel, { subscription_count: subscriptions }]) => {
        const users = isPresence(channel) ? await this.#usersOf(api, channel) : [];
        return [channel, { users, subscriptions }] as const;
      },
    );
    return Object.fromEntries(await Promise.all(entries));
  }

  stop(): void {
    for (const api of Object.values(this.#apis)) api.close();
  }

  async #usersOf(api: TestApi, channel: string): Promise<readonly string[]> {
    const answer = await api.get(`/channels/${channel}/users`);
    const { users } = expectOk(answer, `the users of ${channel}`) as {
      readonly users: readonly { readonly id: string }[];
    };
    return users.map(({ id }) => id);
  }
}

class Refused extends Error {
  override readonly name = 'Refused';
}

function expectOk({ status, text, json }: ApiAnswer, what: string): unknown {
  if (status !== 200) throw new Refused(`${what}: answered ${status} ${text}`);
  return json;
}

/** Its process has gone, or is going. Errors of Node itself are of another realm than those of a spec. */
function isGone(error: unknown): boolean {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return code === 'ECONNRESET' || code === 'ECONNREFUSED' || code === 'EPIPE';
}
