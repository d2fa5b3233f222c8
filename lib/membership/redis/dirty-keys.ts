import type { Member } from '../membership-store.ts';
import { keyOf } from './local-channel.ts';

interface DirtyUser {
  /** The store has never heard that the user is here. */
  readonly isNew: boolean;
  /** Gone, and told once more as having come and gone: the store has forgotten that it came. */
  readonly retold: Member | undefined;
}

/** A channel of which the store is told what is true, whatever it was told before. */
export interface DirtyChannel {
  readonly appId: string;
  readonly channel: string;
  /** The store has never heard that the channel is here. */
  isNew: boolean;
  /** The channel is gone, and told once more as having come and gone. */
  isRetold: boolean;
  isCounted: boolean;
  readonly users: Map<string, DirtyUser>;
}

/** The channels and users of one partition that the store has to be told of. It grows with what there is, not with what happens. */
export class DirtyKeys {
  readonly #channels = new Map<string, DirtyChannel>();
  #users = 0;

  /** Channels and users. */
  get size(): number {
    return this.#channels.size + this.#users;
  }

  /** `key`: as of a local channel. */
  has(key: string): boolean {
    return this.#channels.has(key);
  }

  first(): DirtyChannel | undefined {
    return this.#channels.values().next().value;
  }

  /** `isNew` counts for a channel that is not dirty yet. */
  of(appId: string, channel: string, isNew: boolean): DirtyChannel {
    const key = keyOf({ appId, name: channel });
    let dirty = this.#channels.get(key);
    if (dirty === undefined) {
      dirty = { appId, channel, isNew, isRetold: false, isCounted: false, users: new Map() };
      this.#channels.set(key, dirty);
    }
    return dirty;
  }

  /** A user came, whom the store does not have. */
  came(dirty: DirtyChannel, userId: string): void {
    if (!dirty.users.has(userId)) this.#mark(dirty, userId, { isNew: true, retold: undefined });
  }

  /** Of a user who came and went unheard nothing is told. */
  went(dirty: DirtyChannel, userId: string): void {
    if (dirty.users.get(userId)?.isNew === true) this.takeUser(dirty, userId);
    else this.assert(dirty, userId);
  }

  /** The store may have heard anything. */
  assert(dirty: DirtyChannel, userId: string): void {
    const retold = dirty.users.get(userId)?.retold;
    this.#mark(dirty, userId, { isNew: false, retold });
  }

  retell(dirty: DirtyChannel, member: Member): void {
    this.#mark(dirty, member.userId, { isNew: false, retold: member });
  }

  takeUser(dirty: DirtyChannel, userId: string): void {
    if (dirty.users.delete(userId)) this.#users--;
  }

  take({ appId, channel, users }: DirtyChannel): void {
    this.#channels.delete(keyOf({ appId, name: channel }));
    this.#users -= users.size;
  }

  /** The channel came and went unheard, and so did whoever was in it. */
  forgetIfNothing(dirty: DirtyChannel): void {
    if (dirty.isNew && !dirty.isRetold && dirty.users.size === 0) this.take(dirty);
  }

  #mark(dirty: DirtyChannel, userId: string, user: DirtyUser): void {
    if (!dirty.users.has(userId)) this.#users++;
    dirty.users.set(userId, user);
  }
}
