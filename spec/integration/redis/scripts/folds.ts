import type { Announcement, Entry } from './script-store.ts';

interface ToldChannel {
  epoch: string;
  seq: number;
  isOccupied: boolean;
  readonly users: Set<string>;
}

/** What somebody knows who reads the outbox: fails on a gap, a repeat, or news that is none. */
export class OutboxFold {
  readonly #channels = new Map<string, ToldChannel>();
  readonly #epochs = new Set<string>();
  #entries = 0;

  take(entries: readonly Entry[]): void {
    for (const entry of entries.slice(this.#entries)) this.#next(entry);
    this.#entries = entries.length;
  }

  occupied(): readonly string[] {
    return [...this.#channels].flatMap(([name, { isOccupied }]) => (isOccupied ? [name] : [])).sort();
  }

  users(channel: string): readonly string[] {
    return [...(this.#channels.get(channel)?.users ?? [])].sort();
  }

  #next({ id, k, c, e, s, u }: Entry): void {
    const told = this.#toldOf(c!, e!);
    const isRight =
      Number(s) === told.seq + 1 &&
      (k === 'channel_occupied'
        ? !told.isOccupied
        : k === 'channel_vacated'
          ? told.isOccupied && told.users.size === 0
          : told.isOccupied && told.users.has(u!) === (k === 'member_removed'));
    if (!isRight) throw new Error(`entry ${String(id)} cannot be: ${k} ${c} ${u} at ${s}`);
    told.seq++;
    if (k === 'member_added') told.users.add(u!);
    else if (k === 'member_removed') told.users.delete(u!);
    else told.isOccupied = k === 'channel_occupied';
  }

  #toldOf(channel: string, epoch: string): ToldChannel {
    const known = this.#channels.get(channel);
    if (known?.epoch === epoch) return known;
    if (this.#epochs.has(epoch)) throw new Error(`epoch ${epoch} is of another channel, or was over`);
    this.#epochs.add(epoch);
    const told = known ?? { epoch, seq: 0, isOccupied: false, users: new Set<string>() };
    told.epoch = epoch;
    told.seq = 0;
    this.#channels.set(channel, told);
    return told;
  }
}

interface SeenChannel {
  version: number;
  readonly users: Set<string>;
  count: number | undefined;
}

/** What a subscriber of every channel knows: fails on a version that is not the next, or news that is none. */
export class AnnouncementFold {
  readonly #channels = new Map<string, SeenChannel>();
  readonly #mayJump = new Set<string>();

  /** The store has forgotten the channel: its next version is higher, and perhaps not the next. */
  mayJump(channel: string): void {
    this.#mayJump.add(channel);
  }

  take(announcements: readonly Announcement[]): void {
    for (const announcement of announcements) this.#next(announcement);
  }

  users(channel: string): readonly string[] {
    return [...(this.#channels.get(channel)?.users ?? [])].sort();
  }

  count(channel: string): number | undefined {
    return this.#channels.get(channel)?.count;
  }

  #next({ channel, version, removed, added, count }: Announcement): void {
    const seen = this.#channels.get(channel) ?? { version: 0, users: new Set<string>(), count: undefined };
    this.#channels.set(channel, seen);
    const isNext = version === seen.version + 1;
    const isRight = this.#mayJump.has(channel) || seen.version === 0 ? version > seen.version : isNext;
    if (!isRight) throw new Error(`${channel} went from version ${seen.version} to ${version}`);
    this.#mayJump.delete(channel);
    seen.version = version;
    for (const user of removed) {
      if (!seen.users.delete(user)) throw new Error(`${user} is not in ${channel}`);
    }
    for (const [user] of added) {
      if (seen.users.has(user)) throw new Error(`${user} is in ${channel}`);
      seen.users.add(user);
    }
    seen.count = count ?? seen.count;
  }
}
