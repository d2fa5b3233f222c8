import { isLifecycle, type OutboxEvent } from '../../../lib/outbox/outbox-event.ts';

interface ToldChannel {
  isOccupied: boolean;
  readonly members: Set<string>;
}

/** What somebody knows who was told these events. Whatever cannot follow on what they know ends the spec. */
export class ToldState {
  readonly #channels = new Map<string, ToldChannel>();

  tell(events: readonly OutboxEvent[]): this {
    for (const event of events) if (isLifecycle(event)) this.#tell(event.kind, event.channel, event.userId);
    return this;
  }

  /** Occupied channels with their members, both in order of name. */
  get state(): readonly string[] {
    return [...this.#channels]
      .filter(([, { isOccupied }]) => isOccupied)
      .map(([channel, { members }]) => [channel, ...[...members].sort()].join(' '))
      .sort();
  }

  #tell(kind: OutboxEvent['kind'], name: string, userId = ''): void {
    const channel = this.#channels.get(name) ?? { isOccupied: false, members: new Set() };
    this.#channels.set(name, channel);
    const { isOccupied, members } = channel;
    const canBe = {
      channel_occupied: !isOccupied,
      channel_vacated: isOccupied && members.size === 0,
      member_added: isOccupied && !members.has(userId),
      member_removed: members.has(userId),
    }[kind as string];
    if (canBe !== true) throw new Error(`${kind} ${userId} cannot follow in ${name}`);
    if (kind === 'channel_occupied' || kind === 'channel_vacated') channel.isOccupied = !isOccupied;
    else if (kind === 'member_added') members.add(userId);
    else members.delete(userId);
  }
}
