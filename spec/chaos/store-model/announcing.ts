import { type Seen, subscriptionsOf } from './presence.ts';
import { countChanged, identityOf, versionOf } from './telling.ts';
import type { ChannelName, Transaction } from './transaction.ts';

/** What a group, or a whole script, changes of a channel, as its subscribers see it: one version and one announcement. */
export class Announcing {
  readonly #tx: Transaction;
  readonly #name: ChannelName;
  readonly #subscriptionsBefore: number;
  readonly #removed = new Set<string>();
  readonly #added = new Set<string>();
  #isTouched = false;

  constructor(tx: Transaction, name: ChannelName) {
    this.#tx = tx;
    this.#name = name;
    this.#subscriptionsBefore = subscriptionsOf(tx.channel(name));
  }

  /** Who came and went was never seen; who went and came has perhaps changed. */
  saw(user: string, seen: Seen): void {
    if (seen === undefined) return;
    this.#isTouched = true;
    if (seen === 'added') this.#added.add(user);
    else if (!this.#added.delete(user)) this.#removed.add(user);
  }

  /** When everything has happened. */
  finish(): void {
    const channel = this.#tx.channel(this.#name);
    if (channel === undefined) return;
    const store = identityOf(this.#tx);
    const subscriptions = subscriptionsOf(channel);
    const isCountChanged = subscriptions !== this.#subscriptionsBefore;
    if (this.#isTouched || (isCountChanged && channel.isCounted)) {
      channel.version = versionOf(store, channel) + 1;
      const added = [...this.#added].map((user) => [user, channel.users.get(user)?.info]);
      const count = channel.isCounted ? { c: subscriptions } : {};
      const told = { v: channel.version, r: [...this.#removed], a: added, ...count };
      this.#tx.publish(`c:${this.#name.key}`, `m${JSON.stringify(told)}`);
    }
    if (isCountChanged && channel.wantsCounts) countChanged(this.#tx, this.#name, subscriptions);
    if (channel.holders.size === 0) {
      store.versionFloor = Math.max(store.versionFloor, channel.version ?? 0);
    }
  }
}
