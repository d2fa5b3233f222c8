/** `GET /apps/:id/lifecycle/snapshot`, as it is answered. */
export interface SnapshotAnswer {
  readonly channels: readonly {
    readonly channel: string;
    readonly epoch: string;
    readonly seq: number;
    readonly members: readonly { readonly user_id: string; readonly seq: number }[];
  }[];
  readonly position: string;
}

/** `GET /apps/:id/lifecycle?after=`, as it is answered. */
export interface PageAnswer {
  readonly events: readonly LifecyclePayload[];
  readonly position: string;
  readonly has_more: boolean;
}

/** A lifecycle event as a webhook or the stream carries it. */
export interface LifecyclePayload {
  readonly name: string;
  readonly channel: string;
  readonly user_id?: string;
  readonly id: string;
  readonly epoch: string;
  readonly seq: number;
}

interface Told {
  epoch: string;
  seq: number;
  isOccupied: boolean;
  readonly members: Set<string>;
}

/**
 * What a receiver knows that began with a snapshot and followed the stream. It fails on a gap or a repeat in a channel's
 * `seq`, and on anything that was so already: a second occupied, a removal of somebody who is not there.
 */
export class LifecycleFold {
  readonly #channels = new Map<string, Told>();

  constructor({ channels }: Pick<SnapshotAnswer, 'channels'>) {
    for (const { channel, epoch, seq, members } of channels) {
      const users = new Set(members.map((member) => member.user_id));
      if (users.size !== members.length) throw new Error(`a member of ${channel} is in the snapshot twice`);
      this.#channels.set(channel, { epoch, seq, isOccupied: true, members: users });
    }
  }

  apply(event: LifecyclePayload): void {
    const { name, channel, epoch, seq } = event;
    const told = this.#toldOf(event);
    if (seq !== told.seq + 1) throw new Error(`${channel} ${epoch}: ${seq} follows ${told.seq}`);
    told.seq = seq;
    const user = event.user_id ?? '';
    const done =
      name === 'channel_occupied'
        ? flip(told, true)
        : name === 'channel_vacated'
          ? told.members.size === 0 && flip(told, false)
          : name === 'member_added'
            ? told.isOccupied && !told.members.has(user) && told.members.add(user).size > 0
            : told.members.delete(user);
    if (!done) throw new Error(`${channel} ${epoch}-${seq}: ${name} ${user} cannot be`);
  }

  /** Occupied channels with their members, both in order of name. */
  get state(): readonly (readonly [channel: string, members: readonly string[]])[] {
    return [...this.#channels]
      .filter(([, { isOccupied }]) => isOccupied)
      .map(([channel, { members }]) => [channel, [...members].sort()] as const)
      .sort(([one], [other]) => (one < other ? -1 : 1));
  }

  /** A channel that is not known here may have any past: it was vacant in the snapshot. */
  #toldOf({ channel, epoch, seq }: LifecyclePayload): Told {
    const known = this.#channels.get(channel);
    if (known !== undefined && known.epoch === epoch) return known;
    if (known?.isOccupied === true) throw new Error(`${channel} changed its epoch while occupied`);
    const told = { epoch, seq: seq - 1, isOccupied: false, members: new Set<string>() };
    if (known !== undefined && seq !== 1) throw new Error(`${channel} ${epoch} begins with ${seq}`);
    this.#channels.set(channel, told);
    return told;
  }
}

function flip(told: Told, isOccupied: boolean): boolean {
  const changes = told.isOccupied !== isOccupied;
  told.isOccupied = isOccupied;
  return changes;
}
