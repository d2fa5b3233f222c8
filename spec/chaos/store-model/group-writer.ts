import type { PartitionState } from './partition-state.ts';
import { apps, type Change, channels, users } from './steps.ts';

type Move = Extract<Change, { readonly begins: boolean }>;
type Args = (string | number)[];

/** Whether somebody is there, and what became of it within a group. */
class Presence {
  readonly #was: boolean;
  #is: boolean;
  #hasChanged = false;

  constructor(is: boolean) {
    this.#was = is;
    this.#is = is;
  }

  get is(): boolean {
    return this.#is;
  }

  set(is: boolean): void {
    if (is !== this.#is) this.#hasChanged = true;
    this.#is = is;
  }

  get steps(): string {
    if (this.#was !== this.#is) return this.#is ? '1' : '0';
    if (!this.#hasChanged) return '=';
    return this.#is ? '01' : '10';
  }
}

/** Turns changes into groups as a node does, from what the store says that the holder has. */
export class GroupWriter {
  readonly #state: PartitionState;
  readonly #holder: string;
  /** By channel, as the batch will have made them. */
  readonly #subscriptions = new Map<string, number>();
  readonly #members: Set<string>;

  constructor(state: PartitionState, holder: string) {
    this.#state = state;
    this.#holder = holder;
    this.#members = new Set(state.holders.get(holder)?.members);
  }

  groupsOf(changes: readonly Change[]): Args[] {
    const groups: Args[] = [];
    let gathered: Move[] = [];
    const close = (): void => {
      if (gathered.length > 0) groups.push(this.#moves(gathered));
      gathered = [];
    };
    for (const change of changes) {
      if (!isMove(change)) {
        close();
        groups.push(groupOf(change));
        continue;
      }
      const last = gathered.at(-1);
      if (change.begins || last?.app !== change.app || last.channel !== change.channel) close();
      gathered.push(change);
    }
    close();
    return groups;
  }

  #moves(moves: readonly Move[]): Args {
    const [first] = moves;
    const app = apps[first?.app ?? 0] ?? '';
    const channel = channels[first?.channel ?? 0] ?? channels[0];
    const key = `${app}:${channel.name}`;
    let subscriptions =
      this.#subscriptions.get(key) ?? this.#state.channels.get(key)?.holders.get(this.#holder) ?? 0;
    const any = new Presence(subscriptions > 0);
    const all = users.map((id) => ({ id, any: new Presence(this.#members.has(`${key}:${id}`)) }));
    for (const { do: action, user, by } of moves) {
      subscriptions = Math.max(0, subscriptions + (action === 'join' ? by : -by));
      any.set(subscriptions > 0);
      if (!channel.isPresence) continue;
      all[user]?.any.set(action === 'join');
      if (subscriptions === 0) for (const each of all) each.any.set(false);
    }
    this.#subscriptions.set(key, subscriptions);
    const changed = all.filter(({ any: { steps } }) => steps !== '=');
    for (const each of changed) {
      if (each.any.is) this.#members.add(`${key}:${each.id}`);
      else this.#members.delete(`${key}:${each.id}`);
    }
    return [
      ...['c', app, channel.name, subscriptions, any.steps, channel.flags, channel.maxUsers, changed.length],
      ...changed.flatMap(({ id, any: { steps } }) => [id, steps, channel.maxUsers, infoOf(id)]),
    ];
  }
}

function groupOf(change: Exclude<Change, Move>): Args {
  const app = apps[change.app] ?? '';
  if (change.do === 'sign') return ['s', app, users[change.user] ?? '', change.steps, 1];
  const channel = channels[change.channel]?.name ?? '';
  if (change.do === 'event') return ['e', app, channel, 'cache_miss', '{"id":"n-1"}'];
  return [
    ...['c', app, channel, change.subscriptions, change.steps, change.flags, 0, change.users.length],
    ...change.users.flatMap(([user, steps, max]) => [
      users[user] ?? '',
      steps,
      max,
      infoOf(users[user] ?? ''),
    ]),
  ];
}

function infoOf(user: string): string {
  return user === 'bob' ? '-' : `={"name":"${user}"}`;
}

function isMove(change: Change): change is Move {
  return change.do === 'join' || change.do === 'leave';
}
