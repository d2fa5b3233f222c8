import { Cluster, type Redis } from 'ioredis';
import { type Observable, Subject } from 'rxjs';
import { SpillwayError } from '../errors/spillway-error.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import {
  addressOf,
  callTimeoutMs,
  connectCommands,
  connectListening,
  type RedisSettings,
  sentinelsOf,
  withoutSecrets,
} from './connect.ts';
import { FailoverWatch } from './failover-watch.ts';
import { LinkHealth } from './link-health.ts';
import { type RedisLinkMetrics, ScriptTimes } from './link-metrics.ts';
import { Listening } from './listening.ts';
import { Overdue } from './overdue.ts';
import { Places } from './places.ts';
import { Publishing } from './publishing.ts';
import type { ScriptName } from './script-names.ts';
import { scriptCommands, Scripts } from './scripts.ts';
import { checkServers } from './server-check.ts';
import { isReadOnly, isTimeout, reasonOf, toStoreError } from './store-errors.ts';
import { type Reply, StoreAway, type StoreLink, type Topic, type TopicMessage } from './store-link.ts';
import { within } from './within.ts';

export interface RedisLinkOptions {
  readonly settings: RedisSettings;
  readonly partitions: number;
  readonly telemetry: Telemetry;
  /** Where the scripts are read; default: those of this package. */
  readonly scripts?: string;
  /** How many milliseconds the clock of specs is ahead; default: none. */
  readonly shiftMs?: () => number;
}

const openTimeoutMs = 5000;

/** An answer takes so long only when the store hangs: the link is down from then on, though the call may do well yet. */
const hangMs = 600;

/** At a stop, how long messages under way have. */
const closeTimeoutMs = 1000;

/** These wait for no pipeline to fill or to end. */
const direct = ['del', 'ping'];

/** A reply, or what the script itself failed with: for the link both mean that the store answered. */
type Answer = { readonly reply: Reply } | { readonly failure: Error };

/**
 * The way to Redis: one connection for calls and one for listening, on a Cluster one of each for every master. Down as a
 * whole as soon as one of them fails, hangs or is refused ("not now"), and up again when all of them work.
 */
export class RedisLink implements StoreLink {
  readonly partitions: number;
  readonly messages$: Observable<TopicMessage>;
  readonly gaps$: Observable<void>;
  readonly up$: Observable<boolean>;
  readonly #options: RedisLinkOptions;
  readonly #address: string;
  readonly #messages$ = new Subject<TopicMessage>();
  readonly #gaps$ = new Subject<void>();
  readonly #commands: Redis | Cluster;
  readonly #listening: Listening;
  readonly #health: LinkHealth;
  readonly #overdue = new Overdue(hangMs, () => this.#health.trip(`no answer for ${hangMs} ms`));
  readonly #scripts: Scripts;
  readonly #places: Places;
  readonly #publishing: Publishing;
  readonly #times = new ScriptTimes();
  #watch: FailoverWatch | undefined;
  #lastError = 'no answer';
  #isClosed = false;
  #reconnects = 0;
  #hasBegun = false;

  constructor(options: RedisLinkOptions) {
    this.#options = options;
    this.partitions = options.partitions;
    this.#address = addressOf(options.settings);
    this.messages$ = this.#messages$.asObservable();
    this.gaps$ = this.#gaps$.asObservable();
    this.#commands = connectCommands(options.settings, [...direct, ...scriptCommands]);
    this.#places = new Places(this.#commands, options.settings.keyPrefix, options.partitions);
    this.#publishing = new Publishing({
      send: (topic, message) => this.#send(this.#places.channelOf(topic), message),
      onFailed: (failure) => {
        this.#recover(failure);
        this.#lost(failure);
      },
    });
    this.#scripts = new Scripts(this.#commands, options.scripts);
    this.#health = new LinkHealth({
      probe: () => within(callTimeoutMs + hangMs, () => this.#probe()),
      onLost: (failure) => {
        const reason = withoutSecrets(options.settings, failure);
        options.telemetry.emit('redis.lost', { address: this.#address, reason });
      },
      onRestored: (awayMs) => options.telemetry.emit('redis.restored', { address: this.#address, awayMs }),
    });
    this.up$ = this.#health.up$.asObservable();
    this.#listening = this.#makeListening();
    this.#hearCommands();
  }

  get isUp(): boolean {
    return this.#health.isUp;
  }

  get metrics(): RedisLinkMetrics {
    return {
      scriptCalls: this.#times.calls,
      meanScriptMs: this.#times.meanMs,
      reconnects: this.#reconnects,
      droppedPublishes: this.#publishing.dropped,
      publishesUnderWay: this.#publishing.underWay,
      waiting: this.#overdue.waiting,
      topics: this.#listening.topics,
    };
  }

  async open(): Promise<void> {
    const { settings, telemetry } = this.#options;
    try {
      const version = await within(openTimeoutMs, () => this.#begin());
      const mode = settings.cluster ? 'cluster' : settings.sentinels === undefined ? 'single' : 'sentinel';
      telemetry.emit('redis.connected', { address: this.#address, version, mode });
    } catch (error) {
      await this.close();
      if (error instanceof SpillwayError) throw error;
      throw new SpillwayError('redis.unreachable', {
        address: this.#address,
        seconds: openTimeoutMs / 1000,
        reason: this.#lastError,
      });
    }
    this.#hasBegun = true;
    this.#health.begin();
  }

  async run(
    script: ScriptName,
    partition: number,
    args: readonly (string | number | Buffer)[],
  ): Promise<Reply> {
    const runner = this.#scripts.runnerOf(script);
    const shiftMs = this.#options.shiftMs?.() ?? 0;
    const answer = await this.#health.run(() =>
      this.#answer(() => runner(this.#places.keyOf(partition), shiftMs, ...args)),
    );
    if ('failure' in answer) throw answer.failure;
    return answer.reply;
  }

  publish(topic: Topic, message: string): boolean {
    // While it hangs but its connection stands, what is sent waits there until it goes on.
    const hangs = this.#overdue.isOverdue && this.#commands.status === 'ready';
    return this.#publishing.offer(topic, message, this.isUp || hangs);
  }

  listen(topics: readonly Topic[]): Promise<void> {
    return this.#listening.listen(topics);
  }

  unlisten(topics: readonly Topic[]): void {
    this.#listening.unlisten(topics);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.isUp) await this.#publishing.drain(closeTimeoutMs);
    this.#health.close();
    this.#overdue.close();
    this.#watch?.close();
    this.#listening.close();
    this.#commands.disconnect();
    this.#messages$.complete();
    this.#gaps$.complete();
  }

  #makeListening(): Listening {
    const { settings, telemetry } = this.#options;
    return new Listening({
      isSharded: settings.cluster,
      places: this.#places,
      connect: (node) => connectListening(settings, this.#commands, node),
      onMessage: (message) => this.#messages$.next(message),
      onGap: () => {
        telemetry.emit('redis.gap', { address: this.#address, topics: this.#listening.topics });
        this.#gaps$.next();
      },
      onLost: (error) => this.#lost(error),
      onReconnect: () => {
        this.#reconnects++;
      },
      onError: (error) => this.#note(error),
    });
  }

  #hearCommands(): void {
    const commands = this.#commands;
    commands.on('error', (error: Error) => this.#note(error));
    commands.on('sentinelError', (error: Error) => this.#note(error));
    commands.on('node error', (error: Error) => this.#note(error));
    commands.on('close', () => this.#lost(new Error(this.#lastError)));
    commands.on('ready', () => {
      if (this.#hasBegun) this.#reconnects++;
    });
    commands.on('refresh', () => {
      if (!this.#isClosed) this.#listening.follow();
    });
  }

  /** Both ways work and the server can be used. */
  async #begin(): Promise<string> {
    const { settings, telemetry } = this.#options;
    await new Promise<void>((resolve) => {
      this.#commands.once('ready', () => resolve());
      this.#commands.connect().catch((error: unknown) => this.#note(error));
    });
    if (settings.sentinels !== undefined) this.#watchSentinels(settings.sentinels.name);
    const version = await checkServers(this.#commands, settings.cluster, this.#address, telemetry);
    this.#listening.follow();
    await this.#listening.opened();
    return version;
  }

  #watchSentinels(group: string): void {
    this.#watch = new FailoverWatch({
      sentinels: sentinelsOf(this.#options.settings),
      group,
      onSwitch: () => this.#reconnect(),
      onError: (error) => this.#note(error),
    });
  }

  /** Takes a write, as the scripts do, where each partition is; and asks the connections that listen. */
  async #probe(): Promise<void> {
    const commands = this.#commands;
    if (commands.status === 'end') commands.connect().catch((error: unknown) => this.#note(error));
    if (commands instanceof Cluster) commands.refreshSlotsCache();
    const tried = this.#options.settings.cluster ? this.#places.partitions : [0];
    const writes = tried.map((partition) => commands.del(`${this.#places.keyOf(partition)}:probe`));
    await Promise.all([...writes, this.#listening.check()]).catch((error: unknown) => {
      const failure = toStoreError(error);
      this.#recover(failure);
      throw failure;
    });
  }

  async #answer(call: () => Promise<Reply>): Promise<Answer> {
    const answered = this.#overdue.begin();
    const startedAtMs = performance.now();
    try {
      return { reply: await call() };
    } catch (error) {
      const failure = toStoreError(error);
      if (!(failure instanceof StoreAway)) return { failure };
      this.#recover(failure);
      throw failure;
    } finally {
      answered();
      this.#times.add(performance.now() - startedAtMs);
      this.#listening.checkQuiet();
    }
  }

  async #send(channel: string, message: string): Promise<void> {
    const answered = this.#overdue.begin();
    try {
      if (this.#options.settings.cluster) await this.#commands.spublish(channel, message);
      else await this.#commands.publish(channel, message);
    } finally {
      answered();
    }
  }

  /** A connection that gave no answer, or leads to a server that is no master any more, is made anew. */
  #recover(failure: Error): void {
    if (isTimeout(failure) || isReadOnly(failure)) this.#reconnect();
  }

  /** Only a connection that stands: ioredis gives up for good when one is ended while it is being made. */
  #reconnect(): void {
    if (this.#commands.status === 'ready') this.#commands.disconnect(true);
    this.#listening.reconnect();
  }

  #lost(error: Error): void {
    if (this.#isClosed) return;
    this.#health.trip(reasonOf(error));
  }

  #note(error: unknown): void {
    this.#lastError = withoutSecrets(this.#options.settings, reasonOf(error)).replace(/\.$/, '');
  }
}
