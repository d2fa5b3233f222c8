import { filter, firstValueFrom, Subject, timeout } from 'rxjs';
import type { BusMessage } from '../../../lib/bus/bus.ts';
import { RedisBus } from '../../../lib/bus/redis/redis-bus.ts';
import { RedisCachedEvents } from '../../../lib/cache/redis.ts';
import { systemClock } from '../../../lib/flow/clock.ts';
import type { Member } from '../../../lib/membership/membership-store.ts';
import { ChannelViews } from '../../../lib/membership/redis/channel-views.ts';
import { partitionOf } from '../../../lib/cluster/partition.ts';
import { RedisConnectionQuota } from '../../../lib/quota/redis.ts';
import { RedisLink } from '../../../lib/redis/redis-link.ts';
import type { Reply } from '../../../lib/redis/store-link.ts';
import { Telemetry } from '../../../lib/telemetry/telemetry.ts';
import { settingsOf } from './link-rig.ts';

export const partitions = 4;
const storeId = 'store';

/** The parts of a node that hear and ask; what they hear of is written by the spec, batch by batch. */
export class BusNode {
  readonly link: RedisLink;
  readonly bus: RedisBus;
  readonly views: ChannelViews;
  readonly quota: RedisConnectionQuota;
  readonly cached: RedisCachedEvents;
  readonly delivered: BusMessage[] = [];
  readonly delivered$ = new Subject<BusMessage>();
  readonly failures: unknown[] = [];
  readonly malformed: string[] = [];
  holder: string;
  /** Goes on when the listening connections are cut: it has none. */
  readonly #writing: RedisLink;
  readonly #batches = new Map<number, number>();

  constructor(url: string, name: string) {
    this.holder = `${name}.1`;
    const telemetry = new Telemetry();
    const createLink = (): RedisLink =>
      new RedisLink({ settings: settingsOf({ url }), partitions, telemetry });
    this.#writing = createLink();
    this.link = createLink();
    const { link } = this;
    const onFailed = (error: unknown): void => {
      this.failures.push(error);
    };
    const deliverHere = (message: BusMessage): void => {
      this.delivered.push(message);
      this.delivered$.next(message);
    };
    this.views = new ChannelViews({
      link,
      announce: (announcement) => deliverHere({ kind: 'membership', ...announcement }),
      localMembers: () => [],
      isUnconfirmed: () => false,
      hasMembers: (channel) => channel.startsWith('presence-'),
      isCounted: (_, channel) => channel.startsWith('counted-'),
      onFailed,
    });
    this.bus = new RedisBus({
      ...{ link, clock: systemClock, nodeId: name, views: this.views, deliverHere, onFailed },
      onMalformed: (topic) => this.malformed.push(topic),
    });
    this.quota = new RedisConnectionQuota({ link, node: { holderOf: () => this.holder }, onFailed });
    this.cached = new RedisCachedEvents(60, { link, clock: systemClock, onFailed });
  }

  async open(): Promise<this> {
    await this.link.open();
    await this.#writing.open();
    await this.bus.open();
    await this.renew();
    return this;
  }

  async renew(): Promise<void> {
    for (let p = 0; p < partitions; p++) {
      await this.#writing.run('renew', p, [this.holder, '', 0, 60_000, partitions, storeId, 0, 0, 0, 0]);
    }
  }

  async close(): Promise<void> {
    this.quota.close();
    this.bus.close();
    await this.link.close();
    await this.#writing.close();
  }

  /** Listens to the channel. */
  async hear(channel: string): Promise<void> {
    this.bus.setInterest('app', channel, true);
    await this.bus.listening('app', channel);
  }

  /** Who is in the channel at this version or later: asked again when the link went down meanwhile, which answers what was known. */
  async usersOnceUp(channel: string, atLeast: number): Promise<readonly string[]> {
    for (;;) {
      await this.#onceUp();
      const { version, members } = await this.views.snapshot('app', channel, atLeast);
      if (version >= atLeast) return members.map(({ userId }) => userId).sort();
    }
  }

  /** Fulfilled when the store can be asked. */
  async #onceUp(): Promise<void> {
    await firstValueFrom(
      this.link.up$.pipe(
        filter((isUp) => isUp),
        timeout({ first: 10_000 }),
      ),
    );
  }

  next(isMeant: (message: BusMessage) => boolean): Promise<BusMessage> {
    return firstValueFrom(this.delivered$.pipe(filter(isMeant), timeout({ first: 10_000 })));
  }

  /** One user comes (`1`) or goes (`0`) with one subscription each; answers the channel's version. */
  async change(channel: string, userId: string, op: '1' | '0', held: number): Promise<number> {
    const had = held + (op === '1' ? -1 : 1);
    const own = had > 0 === held > 0 ? '=' : op;
    const reply = await this.#apply(channel, ['c', 'app', channel, held, own, 0, 0, 1, userId, op, 0, '-']);
    return Number(String(reply).split(' ')[0]);
  }

  /** The number of subscriptions of a channel without members. */
  async count(channel: string, op: '=' | '1' | '0', held: number): Promise<void> {
    await this.#apply(channel, ['c', 'app', channel, held, op, 1, 0, 0]);
  }

  async signIn(userId: string, op: '1' | '0'): Promise<void> {
    await this.#apply(userId, ['s', 'app', userId, op, 1]);
  }

  async #apply(key: string, group: readonly (string | number)[]): Promise<Reply | undefined> {
    const partition = partitionOf('app', key, partitions);
    const batch = (this.#batches.get(partition) ?? 0) + 1;
    this.#batches.set(partition, batch);
    const head = [this.holder, storeId, batch, 3_000, 60_000, '', 1];
    const reply = await this.#writing.run('apply', partition, [...head, ...group]);
    if (!Array.isArray(reply) || reply[0] !== 'OK')
      throw new Error(`apply answered ${JSON.stringify(reply)}`);
    return (reply as readonly Reply[])[2];
  }
}

/** Who somebody knows who heard all these announcements of a channel. */
export function foldOf(messages: readonly BusMessage[], channel: string): ReadonlyMap<string, Member> {
  const known = new Map<string, Member>();
  let last = 0;
  for (const message of messages) {
    if (message.kind !== 'membership' || message.channel !== channel) continue;
    if (message.version <= last) throw new Error(`version ${message.version} came after ${last}`);
    last = message.version;
    for (const userId of message.removed) {
      if (!known.delete(userId)) throw new Error(`${userId} went without having come`);
    }
    for (const member of message.added) known.set(member.userId, member);
  }
  return known;
}
