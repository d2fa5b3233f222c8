import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { ScriptName } from '../../../../lib/redis/script-names.ts';
import type { Reply } from '../../../../lib/redis/store-link.ts';
import { startRedis } from '../../../support/redis.ts';

export const app = 'app-1';
export const graceMs = 3_000;
export const leaseMs = 8_000;
export const retainMs = 3_600_000;

const folder = 'lib/redis/scripts';
const partitionKey = 'sw:{0}';
const topicPrefix = `${partitionKey}:t:`;

/** One partition of a real Redis, and the scripts, called as the link calls them. */
export class ScriptStore {
  /** How far the clock of the scripts is ahead. */
  shiftMs = 0;
  readonly redis: Redis;
  readonly #listener: Redis;
  readonly #prelude = readFileSync(join(folder, 'prelude.lua'), 'utf8');
  #heard: { readonly topic: string; readonly message: string }[] = [];
  #markers = 0;

  private constructor(url: string) {
    this.redis = new Redis(url);
    this.#listener = new Redis(url);
  }

  static async open(url: string): Promise<ScriptStore> {
    const store = new ScriptStore(url);
    store.#listener.on('pmessage', (_pattern: string, topic: string, message: string) =>
      store.#heard.push({ topic, message }),
    );
    await store.#listener.psubscribe(`${topicPrefix}*`);
    return store;
  }

  /** An empty partition with these apps having an endpoint. */
  async reset(apps: readonly string[] = [app]): Promise<void> {
    await this.redis.flushall();
    this.shiftMs = 0;
    if (apps.length > 0) await this.redis.sadd(this.key('ea'), ...apps);
    await this.heard();
  }

  key(...parts: readonly string[]): string {
    return [partitionKey, ...parts].join(':');
  }

  async run(name: ScriptName, ...args: readonly (string | number)[]): Promise<readonly Reply[]> {
    const text = `${this.#prelude}\n${readFileSync(join(folder, `${name}.lua`), 'utf8')}`;
    return (await this.redis.eval(text, 1, partitionKey, this.shiftMs, ...args)) as readonly Reply[];
  }

  /** What was published since the last call: topic, a space, message. */
  async heard(): Promise<readonly string[]> {
    const marker = `${topicPrefix}marker`;
    const last = String(++this.#markers);
    const arrived = new Promise<void>((resolve) => {
      const hear = (_pattern: string, topic: string, message: string): void => {
        if (topic !== marker || message !== last) return;
        this.#listener.off('pmessage', hear);
        resolve();
      };
      this.#listener.on('pmessage', hear);
    });
    await this.redis.publish(marker, last);
    await arrived;
    const heard = this.#heard.filter(({ topic }) => topic !== marker);
    this.#heard = [];
    return heard.map(({ topic, message }) => `${topic.slice(topicPrefix.length)} ${message}`);
  }

  /** Announcements among what was published since the last call. */
  async announced(): Promise<readonly Announcement[]> {
    return (await this.heard()).flatMap((line) => {
      const [, channel, json] = /^c:[^:]+:(\S+) m(.*)$/s.exec(line) ?? [];
      if (channel === undefined || json === undefined) return [];
      const { v, r, a, c } = JSON.parse(json) as { v: number; r: unknown; a: unknown; c?: number };
      const [removed, added] = [r, a].map((list) => (Array.isArray(list) ? (list as unknown[]) : []));
      return [
        {
          channel,
          version: v,
          removed: (removed ?? []) as string[],
          added: (added ?? []) as [string, string][],
          ...(c === undefined ? {} : { count: c }),
        },
      ];
    });
  }

  /** The outbox of the app: the fields of each entry. */
  async entries(appId = app): Promise<readonly Entry[]> {
    const entries = await this.redis.xrange(this.key('o', appId), '-', '+');
    return entries.map(([id, fields]) => {
      const entry: Record<string, string> = { id };
      for (let index = 0; index < fields.length; index += 2) entry[fields[index]!] = fields[index + 1]!;
      return entry;
    });
  }

  /** The outbox in short: kind, channel, user, cause; the number of a count. */
  async told(appId = app): Promise<readonly string[]> {
    return (await this.entries(appId)).map(({ k, c, u, x, j }) => {
      const count = j === undefined ? undefined : (JSON.parse(j) as { subscriptionCount?: number });
      const kind = k?.replace(/^(channel|member)_/, '');
      return [kind, c, u, x, count?.subscriptionCount].filter((part) => part !== undefined).join(' ');
    });
  }

  hash(...parts: readonly string[]): Promise<Record<string, string>> {
    return this.redis.hgetall(this.key(...parts));
  }

  async nowMs(): Promise<number> {
    const [seconds, micros] = await this.redis.time();
    return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000) + this.shiftMs;
  }

  close(): void {
    this.redis.disconnect();
    this.#listener.disconnect();
  }
}

export type Entry = Readonly<Record<string, string>>;

export interface Announcement {
  readonly channel: string;
  readonly version: number;
  readonly removed: readonly string[];
  readonly added: readonly (readonly [user: string, info: string])[];
  readonly count?: number;
}

/** A store for the specs of one file. */
export async function openScriptStore(): Promise<{ store: ScriptStore; close: () => Promise<void> }> {
  const server = await startRedis();
  const store = await ScriptStore.open(server.url);
  return {
    store,
    close: async () => {
      store.close();
      await server.stop();
    },
  };
}
