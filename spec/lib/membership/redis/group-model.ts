type Args = readonly (string | number)[];

export interface Told {
  readonly channel: string;
  readonly version: number;
  readonly removed: readonly string[];
  readonly added: readonly (readonly [userId: string, info: string])[];
  readonly count: number | undefined;
}

class ChannelModel {
  version = 0;
  readonly holders = new Map<string, number>();
  readonly users = new Map<string, { readonly info: string; readonly holders: Set<string> }>();

  get subscriptions(): number {
    return [...this.holders.values()].reduce((sum, one) => sum + one, 0);
  }
}

/** What the `apply` script does with the groups of channels, for several nodes: who is where, and what is announced. */
export class GroupModel {
  readonly told: Told[] = [];
  readonly #channels = new Map<string, ChannelModel>();
  #generation = 0;

  /** One reply for each group. */
  apply(holder: string, groups: readonly Args[]): readonly string[] {
    const refused = new Map<string, number>();
    return groups.map((args) => this.#apply(holder, args, refused));
  }

  channel(name: string): ChannelModel {
    const channel = this.#channels.get(name) ?? new ChannelModel();
    this.#channels.set(name, channel);
    return channel;
  }

  wipe(): void {
    this.#channels.clear();
    this.#generation++;
  }

  /** Removes all that a holder has. */
  reap(holder: string): void {
    for (const channel of this.#channels.values()) {
      for (const userId of [...channel.users.keys()]) this.#down(channel, holder, userId);
      channel.holders.delete(holder);
    }
  }

  state(): Record<string, { readonly subscriptions: number; readonly users: readonly string[] }> {
    const occupied = [...this.#channels].filter(([, { holders }]) => holders.size > 0).sort();
    return Object.fromEntries(
      occupied.map(([name, { subscriptions, users }]) => [
        name,
        { subscriptions, users: [...users.keys()].sort() },
      ]),
    );
  }

  #apply(holder: string, args: Args, refusedOf: Map<string, number>): string {
    const [, , name, said, ops, flags, , nUsers, ...rest] = args.map(String);
    const channel = this.channel(name!);
    const users = Array.from({ length: Number(nUsers) }, (_, i) => rest.slice(i * 4, i * 4 + 4));
    const others = channel.holders.size - (channel.holders.has(holder) ? 1 : 0);
    const before = channel.subscriptions;
    const seen = { removed: new Set<string>(), added: new Map<string, string>(), passedBy: false };
    const refused: number[] = [];
    const go = (userId: string): void => {
      if (!this.#down(channel, holder, userId)) return;
      if (seen.added.delete(userId)) seen.passedBy = true;
      else seen.removed.add(userId);
    };
    const come = (userId: string, max: string, info: string, position: number): void => {
      const present = channel.users.get(userId);
      if (present === undefined && Number(max) > 0 && channel.users.size >= Number(max)) {
        refused.push(position);
        return;
      }
      if (present === undefined) {
        channel.users.set(userId, { info, holders: new Set() });
        seen.added.set(userId, info);
      }
      channel.users.get(userId)!.holders.add(holder);
    };
    for (const [userId, steps] of users) if (ops === '01' && steps!.startsWith('0')) go(userId!);
    for (const [position, [userId, steps, max, info]] of users.entries()) {
      if (ops === '01' && steps === '10') throw new Error('nobody passes by a channel that goes and comes');
      const left = ops === '01' ? steps!.replace(/^0/, '') : steps!;
      for (const step of left) {
        if (step === '1') come(userId!, max!, info!, position);
        else go(userId!);
      }
    }
    refusedOf.set(name!, (refusedOf.get(name!) ?? 0) + refused.length);
    const subscriptions = Number(said) - refusedOf.get(name!)!;
    if (subscriptions < 0) throw new Error('fewer than no subscriptions');
    if (subscriptions === 0) channel.holders.delete(holder);
    else channel.holders.set(holder, subscriptions);
    const isCounted = (Number(flags) & 1) !== 0;
    const isCountTold = isCounted && channel.subscriptions !== before;
    if (isCountTold || seen.passedBy || seen.removed.size > 0 || seen.added.size > 0) {
      channel.version = Math.max(channel.version, this.#generation * 2 ** 26) + 1;
      const { version } = channel;
      const count = isCounted ? channel.subscriptions : undefined;
      this.told.push({ channel: name!, version, removed: [...seen.removed], added: [...seen.added], count });
    }
    return `${channel.version} ${others} ${refused.length === 0 ? '-' : refused.join(',')}`;
  }

  /** Whether it was the user's last. */
  #down(channel: ChannelModel, holder: string, userId: string): boolean {
    const user = channel.users.get(userId);
    if (user?.holders.delete(holder) !== true || user.holders.size > 0) return false;
    return channel.users.delete(userId);
  }
}
