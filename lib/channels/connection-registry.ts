import type { Connection } from './connection.ts';

/** The open connections of this node. */
export class ConnectionRegistry {
  readonly #connections = new Map<string, Connection>();

  get size(): number {
    return this.#connections.size;
  }

  find(socketId: string): Connection | undefined {
    return this.#connections.get(socketId);
  }

  has(socketId: string): boolean {
    return this.#connections.has(socketId);
  }

  add(connection: Connection): void {
    this.#connections.set(connection.socketId, connection);
  }

  remove(connection: Connection): void {
    this.#connections.delete(connection.socketId);
  }

  all(): IterableIterator<Connection> {
    return this.#connections.values();
  }
}
