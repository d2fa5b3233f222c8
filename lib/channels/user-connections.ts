import type { Connection } from './connection.ts';

const none: ReadonlySet<Connection> = new Set();

/** Connections of this node under a user's id: those signed in as the user, or those that watch the user. */
export class UserConnections {
  readonly #byUser = new Map<string, Set<Connection>>();

  /** Users with a connection here, for the gauge. */
  get size(): number {
    return this.#byUser.size;
  }

  of(appId: string, userId: string): ReadonlySet<Connection> {
    return this.#byUser.get(keyOf(appId, userId)) ?? none;
  }

  add(userId: string, connection: Connection): void {
    const key = keyOf(connection.app.id, userId);
    const connections = this.#byUser.get(key);
    if (connections === undefined) this.#byUser.set(key, new Set([connection]));
    else connections.add(connection);
  }

  remove(userId: string, connection: Connection): void {
    const key = keyOf(connection.app.id, userId);
    const connections = this.#byUser.get(key);
    if (connections?.delete(connection) === true && connections.size === 0) this.#byUser.delete(key);
  }
}

function keyOf(appId: string, userId: string): string {
  return `${appId} ${userId}`;
}
