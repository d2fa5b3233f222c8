import type { UserMessage } from '../bus/bus.ts';
import { watchlistEvents } from '../protocol/server-messages.ts';
import type { UserState } from '../users/signed-in-users.ts';
import type { Connection } from './connection.ts';
import type { Fanout } from './fanout.ts';
import { UserConnections } from './user-connections.ts';

/** What a watcher was last told of a user; `online` is undefined until it was told anything. */
interface Shown {
  readonly version: number;
  readonly online: boolean | undefined;
}

/** What a watching connection has been told of each watched user, and what waits for its first answer. */
interface Watcher {
  readonly shown: Map<string, Shown>;
  held: UserMessage[] | undefined;
}

/**
 * Tells the watchers of a user when the user comes online and goes offline (protocol.md 5). A watcher first gets the
 * state of its whole list; changes that come before that are held, older ones than it are dropped.
 */
export class Watchlists {
  readonly #fanout: Fanout;
  readonly #watching = new UserConnections();
  readonly #watchers = new Map<Connection, Watcher>();

  constructor(fanout: Fanout) {
    this.#fanout = fanout;
  }

  /** Connections that watch somebody, for the gauge. */
  get size(): number {
    return this.#watchers.size;
  }

  /** From here on changes of these users are kept for the connection. `show` follows with their state. */
  watch(connection: Connection, userIds: readonly string[]): void {
    const untold = { version: 0, online: undefined };
    this.#watchers.set(connection, { shown: new Map(userIds.map((userId) => [userId, untold])), held: [] });
    for (const userId of userIds) this.#watching.add(userId, connection);
  }

  unwatch(connection: Connection): void {
    for (const userId of this.#watchers.get(connection)?.shown.keys() ?? []) {
      this.#watching.remove(userId, connection);
    }
    this.#watchers.delete(connection);
  }

  /** Shows the connection the state of the users it watches, then what changed since. */
  show(connection: Connection, states: readonly UserState[]): void {
    const watcher = this.#watchers.get(connection);
    if (watcher === undefined) return;
    for (const { userId, version, online } of states) watcher.shown.set(userId, { version, online });
    const namesOf = (online: boolean): readonly string[] =>
      states.filter((state) => state.online === online).map((state) => state.userId);
    const events = [
      { name: 'online' as const, userIds: namesOf(true) },
      { name: 'offline' as const, userIds: namesOf(false) },
    ].filter((event) => event.userIds.length > 0);
    if (events.length > 0) this.#fanout.reply(connection, watchlistEvents(events));
    const held = watcher.held ?? [];
    watcher.held = undefined;
    for (const message of held) this.#tell(connection, watcher, message);
  }

  /** A user came online or went offline. */
  announce(message: UserMessage): void {
    for (const connection of this.#watching.of(message.appId, message.userId)) {
      const watcher = this.#watchers.get(connection);
      if (watcher === undefined) continue;
      if (watcher.held === undefined) this.#tell(connection, watcher, message);
      else hold(watcher, message);
    }
  }

  /** Who is watched here, by app: what has to be asked again after changes may have been missed. */
  watched(): ReadonlyMap<string, ReadonlySet<string>> {
    const users = new Map<string, Set<string>>();
    for (const [{ app }, { shown }] of this.#watchers) {
      const ofApp = users.get(app.id) ?? new Set();
      users.set(app.id, ofApp);
      for (const userId of shown.keys()) ofApp.add(userId);
    }
    return users;
  }

  #tell(connection: Connection, watcher: Watcher, { userId, online, version }: UserMessage): void {
    const shown = watcher.shown.get(userId);
    if (version <= (shown?.version ?? 0)) return;
    watcher.shown.set(userId, { version, online });
    if (online === shown?.online) return;
    const name = online ? 'online' : 'offline';
    this.#fanout.reply(connection, watchlistEvents([{ name, userIds: [userId] }]));
  }
}

/** One held change for each user is enough: the last. So what is held is never longer than the list that is watched. */
function hold(watcher: Watcher, message: UserMessage): void {
  watcher.held = [...(watcher.held ?? []).filter((held) => held.userId !== message.userId), message];
}
