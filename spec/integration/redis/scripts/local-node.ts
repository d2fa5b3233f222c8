import { type Group, inChannel, type UserSteps } from './holder.ts';

/** Of a connection: a join with the user (undefined on a plain channel), or a leave of one that is there. */
export type Action =
  | { readonly kind: 'join'; readonly user: string | undefined }
  | { readonly kind: 'leave'; readonly index: number };

/** What one node has: the user of each subscription, by channel. */
export class LocalNode {
  readonly #channels = new Map<string, (string | undefined)[]>();
  #infos = 0;

  subscriptions(channel: string): number {
    return this.#channels.get(channel)?.length ?? 0;
  }

  users(channel: string): ReadonlySet<string> {
    return new Set(this.#channels.get(channel)?.filter((user) => user !== undefined));
  }

  /** Does these, and says as a node would what happened: `counting` counts refused ones in that the node does not know of. */
  does(
    channel: string,
    actions: readonly Action[],
    options: { flags: number; max?: number; counting?: number },
  ): Group {
    const sockets = this.#channels.get(channel) ?? [];
    this.#channels.set(channel, sockets);
    const any = new Steps(sockets.length > 0);
    const users = new Map<string, Steps>();
    for (const action of actions) {
      const user = action.kind === 'join' ? action.user : sockets[action.index % sockets.length];
      if (action.kind === 'leave' && sockets.length === 0) continue;
      if (user !== undefined && !users.has(user)) users.set(user, new Steps(sockets.includes(user)));
      if (action.kind === 'join') sockets.push(user);
      else sockets.splice(action.index % sockets.length, 1);
      any.next(sockets.length > 0);
      if (user !== undefined) users.get(user)?.next(sockets.includes(user));
    }
    return inChannel(channel, sockets.length + (options.counting ?? 0), any.text || '=', {
      flags: options.flags,
      users: this.#stepsOf(users, options.max ?? 0),
    });
  }

  /** The store refused the last join of the user. */
  undo(channel: string, user: string): void {
    const sockets = this.#channels.get(channel) ?? [];
    sockets.splice(sockets.lastIndexOf(user), 1);
  }

  #stepsOf(users: ReadonlyMap<string, Steps>, max: number): readonly UserSteps[] {
    return [...users].flatMap(([user, { text: steps }]) =>
      steps === '' ? [] : [{ user, steps, max, info: `={"n":${this.#infos++}}` }],
    );
  }
}

/** What happened to "there is one": `1` came, `0` went, `10`, `01`, or nothing. */
class Steps {
  readonly #before: boolean;
  #now: boolean;
  #isChanged = false;

  constructor(before: boolean) {
    this.#before = before;
    this.#now = before;
  }

  next(isThere: boolean): void {
    if (isThere !== this.#now) this.#isChanged = true;
    this.#now = isThere;
  }

  get text(): string {
    if (this.#now !== this.#before) return this.#now ? '1' : '0';
    if (!this.#isChanged) return '';
    return this.#now ? '01' : '10';
  }
}
