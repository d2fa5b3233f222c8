import type { SignedInUsers, SignIn, UserState } from './signed-in-users.ts';

export class MemorySignedInUsers implements SignedInUsers {
  readonly #connections = new Map<string, Set<string>>();
  readonly #announce: (appId: string, state: UserState) => void;
  /** One counter for all users: rising is all a version has to do, and nothing is kept for those who left. */
  #version = 0;

  constructor(announce: (appId: string, state: UserState) => void) {
    this.#announce = announce;
  }

  /** Users signed in, for the gauge. */
  get size(): number {
    return this.#connections.size;
  }

  apply(changes: readonly SignIn[]): void {
    for (const change of changes) {
      if (change.kind === 'sign-in') this.#signIn(change);
      else this.#signOut(change);
    }
  }

  states(appId: string, userIds: readonly string[]): readonly UserState[] {
    return userIds.map((userId) => ({
      userId,
      online: this.#connections.has(keyOf(appId, userId)),
      version: this.#version,
    }));
  }

  #signIn({ appId, userId, socketId }: SignIn): void {
    const connections = this.#connections.get(keyOf(appId, userId));
    if (connections !== undefined) {
      connections.add(socketId);
      return;
    }
    this.#connections.set(keyOf(appId, userId), new Set([socketId]));
    this.#announce(appId, { userId, online: true, version: ++this.#version });
  }

  #signOut({ appId, userId, socketId }: SignIn): void {
    const key = keyOf(appId, userId);
    const connections = this.#connections.get(key);
    if (connections === undefined || !connections.delete(socketId) || connections.size > 0) return;
    this.#connections.delete(key);
    this.#announce(appId, { userId, online: false, version: ++this.#version });
  }
}

function keyOf(appId: string, userId: string): string {
  return `${appId} ${userId}`;
}
