import type { Group, GroupSource } from '../cluster/group-source.ts';
import type { Clock } from '../flow/clock.ts';
import type { MaybePromise } from '../flow/maybe-promise.ts';
import { partitionOf } from '../cluster/partition.ts';
import { type Reply, StoreAway, type StoreLink } from '../redis/store-link.ts';
import { PartitionUsers } from './partition-users.ts';
import type { SignedInUsers, SignIn, UserState } from './signed-in-users.ts';

export interface RedisSignedInUsersOptions {
  readonly link: Pick<StoreLink, 'isUp' | 'partitions' | 'run'>;
  /** A partition has something to take. */
  readonly poke: (partition: number) => void;
  readonly clock: Clock;
  /** Whether the app's users are watched: only then their first sign-ins and last sign-outs are announced. */
  readonly announces: (appId: string) => boolean;
  /** Calls of one partition that may wait for a batch. Default: 10,000. */
  readonly maxWaiting?: number;
}

const defaultMaxWaiting = 10_000;

/**
 * Who is signed in on all nodes, in Redis: which connections of this node a user has is known here, and the store is told
 * in batches whether there are any.
 */
export class RedisSignedInUsers implements SignedInUsers, GroupSource {
  readonly #options: RedisSignedInUsersOptions;
  readonly #partitions: readonly PartitionUsers[];

  constructor(options: RedisSignedInUsersOptions) {
    const { link, announces, clock, maxWaiting = defaultMaxWaiting } = options;
    this.#options = options;
    this.#partitions = Array.from(
      { length: link.partitions },
      () => new PartitionUsers({ announces, clock, maxWaiting }),
    );
  }

  /** Users of whom the store has something to hear. */
  get pending(): number {
    return this.#sum(({ pending }) => pending);
  }

  /** Calls that found too many others waiting, and were answered before the store had heard of them. */
  get overflows(): number {
    return this.#sum(({ overflows }) => overflows);
  }

  apply(changes: readonly SignIn[]): MaybePromise<void> {
    const byPartition = new Map<number, SignIn[]>();
    for (const change of changes) {
      const partition = this.#partitionOf(change.appId, change.userId);
      const some = byPartition.get(partition) ?? [];
      some.push(change);
      byPartition.set(partition, some);
    }
    const answers: Promise<void>[] = [];
    for (const [partition, some] of byPartition) {
      const told = this.#partitions[partition]?.apply(some);
      if (told !== undefined) answers.push(told);
    }
    for (const partition of byPartition.keys()) {
      if (this.waiting(partition).changes > 0) this.#options.poke(partition);
    }
    return answers.length === 0 ? undefined : Promise.all(answers).then(() => undefined);
  }

  /** While the store is away: who is signed in here, at version 0, so that whatever is announced later is newer. */
  states(appId: string, userIds: readonly string[]): MaybePromise<readonly UserState[]> {
    if (!this.#options.link.isUp) return this.#statesHere(appId, userIds);
    const byPartition = new Map<number, string[]>();
    for (const userId of new Set(userIds)) {
      const partition = this.#partitionOf(appId, userId);
      const some = byPartition.get(partition) ?? [];
      some.push(userId);
      byPartition.set(partition, some);
    }
    const asked = Array.from(byPartition, ([partition, some]) => this.#ask(partition, appId, some));
    return Promise.all(asked).then(
      (answers) => {
        const states = new Map(answers.flat().map((state) => [state.userId, state]));
        return userIds.flatMap((userId) => states.get(userId) ?? []);
      },
      (error: unknown) => {
        if (error instanceof StoreAway) return this.#statesHere(appId, userIds);
        throw error;
      },
    );
  }

  take(partition: number, room: number): readonly Group[] {
    return this.#partitions[partition]?.take(room) ?? [];
  }

  waiting(partition: number): { readonly changes: number; readonly isUrgent: boolean } {
    return this.#partitions[partition]?.waiting() ?? { changes: 0, isUrgent: false };
  }

  away(): void {
    for (const users of this.#partitions) users.away();
  }

  returned(): void {
    for (const [partition, users] of this.#partitions.entries()) {
      users.returned();
      if (users.pending > 0) this.#options.poke(partition);
    }
  }

  assertAll(partition: number, { isWiped }: { readonly isWiped: boolean }): void {
    this.#partitions[partition]?.assertAll(isWiped);
    if (this.waiting(partition).changes > 0) this.#options.poke(partition);
  }

  async #ask(partition: number, appId: string, userIds: readonly string[]): Promise<readonly UserState[]> {
    const reply = await this.#options.link.run('states', partition, [appId, ...userIds]);
    const [word, version, ...online] = Array.isArray(reply) ? (reply as readonly Reply[]) : [reply];
    if (word !== 'OK') throw new Error(`the store answered ${JSON.stringify(word)} to "states"`);
    return userIds.map((userId, i) => ({
      userId,
      online: Number(online[i]) === 1,
      version: Number(version),
    }));
  }

  #statesHere(appId: string, userIds: readonly string[]): readonly UserState[] {
    return userIds.map((userId) => {
      const partition = this.#partitions[this.#partitionOf(appId, userId)];
      return { userId, online: partition?.isHere(appId, userId) === true, version: 0 };
    });
  }

  #partitionOf(appId: string, userId: string): number {
    return partitionOf(appId, userId, this.#partitions.length);
  }

  #sum(of: (users: PartitionUsers) => number): number {
    return this.#partitions.reduce((sum, users) => sum + of(users), 0);
  }
}
