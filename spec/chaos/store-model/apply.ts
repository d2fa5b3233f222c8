import type { Reply } from '../../../lib/redis/store-link.ts';
import { Announcing } from './announcing.ts';
import type { Arguments } from './arguments.ts';
import { admit } from './leases.ts';
import { emptyHolder } from './partition-state.ts';
import { channelDown, channelUp, isFull, tellAnew, userDown, userUp, type Writer } from './presence.ts';
import { signedIn, signedOut } from './sign-ins.ts';
import { countWrite, identityOf, versionOf } from './telling.ts';
import { channelName, type ChannelName, type Transaction } from './transaction.ts';

/** What happened within a group to "the holder has any": nothing ('='), or these in turn; 1 it came, 0 it went. */
type Steps = '=' | '1' | '0' | '10' | '01';

interface UserChange {
  readonly id: string;
  readonly steps: Steps;
  readonly maxUsers: number;
  readonly info: string;
}

interface ChannelGroup {
  readonly name: ChannelName;
  /** What the holder now has, if nobody is refused. */
  readonly subscriptions: number;
  readonly steps: Steps;
  /** The number of subscriptions is announced when it changes. */
  readonly isCounted: boolean;
  /** An endpoint wants to know it. */
  readonly wantsCounts: boolean;
  readonly users: readonly UserChange[];
}

/** A batch of one holder: it takes effect once, however often it is sent. */
export function apply(tx: Transaction, args: Arguments): Reply {
  const holder = args.text();
  const refusal = admit(tx, holder, args.text());
  if (refusal !== undefined) return refusal;
  const held = tx.state.holders.get(holder) ?? emptyHolder();
  const number = args.whole();
  const last = held.batch ?? 0;
  if (number === last) return ['DUP', tx.nextDeadlineMs(), ...held.replies, identityOf(tx).writes];
  if (number !== last + 1) return ['GAP', last];

  const graceMs = args.whole();
  const retainMs = args.whole();
  const cause = args.text();
  const graceEndsMs = graceMs === 0 ? undefined : tx.nowMs + graceMs;
  const store = countWrite(tx);
  const batch = new Batch(tx, { holder, held, cause, graceEndsMs, retainMs });
  held.replies = args.list(args.whole(), () => batch.applyGroup(args));
  held.batch = number;
  tx.wakeOwner();
  return ['OK', tx.nextDeadlineMs(), ...held.replies, store.writes];
}

class Batch {
  readonly #tx: Transaction;
  readonly #writer: Writer;
  /** Subscriptions that were refused, by channel: the holder, who does not know it yet, counts them. */
  readonly #refused = new Map<string, number>();

  constructor(tx: Transaction, writer: Writer) {
    this.#tx = tx;
    this.#writer = writer;
  }

  applyGroup(args: Arguments): string {
    const kind = args.text();
    if (kind === 'c') return this.#changeChannel(readChannelGroup(args));
    if (kind === 's') return this.#changeSignIn(args.text(), args.text(), args.text(), args.flag());
    if (kind === 'e') return this.#appendEvent(args.text(), args.text(), args.text(), args.text());
    throw new Error(`there is no group ${kind}`);
  }

  #changeChannel({ name, subscriptions, steps, users, isCounted, wantsCounts }: ChannelGroup): string {
    tellAnew(this.#tx, name);
    const announcing = new Announcing(this.#tx, name);
    const others = this.#othersOf(name);
    const refused: number[] = [];
    const goes = (user: UserChange): void =>
      announcing.saw(user.id, userDown(this.#tx, name, this.#writer, user.id));
    const comes = (user: UserChange): boolean => {
      if (isFull(this.#tx.channel(name), user.id, user.maxUsers)) return false;
      this.#holdSome(name);
      announcing.saw(user.id, userUp(this.#tx, name, this.#writer, user));
      return true;
    };

    // The channel goes and comes: first everybody who is there goes.
    if (steps === '01') {
      for (const user of users) if (user.steps.startsWith('0')) goes(user);
      this.#holdNone(name);
    }
    for (const [position, user] of users.entries()) {
      let isRefused = false;
      for (const step of steps === '01' ? user.steps.replace(/^0/, '') : user.steps) {
        if (step === '0') goes(user);
        isRefused = step === '1' && !comes(user);
        if (isRefused) refused.push(position);
      }
      if (isRefused) this.#refused.set(name.key, (this.#refused.get(name.key) ?? 0) + 1);
    }
    const has = subscriptions - (this.#refused.get(name.key) ?? 0);
    if (has > 0 || (steps === '10' && users.length === 0)) this.#holdSome(name);
    const channel = this.#tx.channel(name);
    if (channel !== undefined && channel.holders.size > 0) Object.assign(channel, { isCounted, wantsCounts });
    if (has > 0) channel?.holders.set(this.#writer.holder, has);
    else this.#holdNone(name);
    announcing.finish();
    const version = versionOf(identityOf(this.#tx), this.#tx.channel(name));
    return `${version} ${others} ${refused.length === 0 ? '-' : refused.join(',')}`;
  }

  #othersOf(name: ChannelName): number {
    const holders = this.#tx.channel(name)?.holders;
    return (holders?.size ?? 0) - (holders?.has(this.#writer.holder) === true ? 1 : 0);
  }

  #holdSome(name: ChannelName): void {
    const has = this.#tx.channel(name)?.holders.has(this.#writer.holder) === true;
    if (!has) channelUp(this.#tx, name, this.#writer, 0);
  }

  #holdNone(name: ChannelName): void {
    const has = this.#tx.channel(name)?.holders.has(this.#writer.holder) === true;
    if (has) channelDown(this.#tx, name, this.#writer);
  }

  #changeSignIn(app: string, user: string, steps: string, isAnnounced: boolean): string {
    const { signIns } = this.#writer.held;
    const entry = `${app}:${user}`;
    for (const step of steps) {
      if (step === '1' && !signIns.has(entry)) {
        signIns.add(entry);
        signedIn(this.#tx, { app, user, isAnnounced });
      } else if (step === '0' && signIns.delete(entry)) {
        signedOut(this.#tx, { app, user, isAnnounced });
      }
    }
    return '';
  }

  #appendEvent(app: string, channel: string, kind: string, json: string): string {
    if (!this.#tx.state.endpointApps.has(app)) return '';
    this.#tx.append(app, ['k', kind, 'c', channel, 't', String(this.#tx.nowMs), 'j', json]);
    return '';
  }
}

function readChannelGroup(args: Arguments): ChannelGroup {
  const name = channelName(args.text(), args.text());
  const subscriptions = args.whole();
  const steps = args.text() as Steps;
  const flags = args.whole();
  args.whole(); // The limit of the channel: each user brings it too.
  const users = args.list(args.whole(), () => readUser(args));
  return {
    name,
    subscriptions,
    steps,
    isCounted: (flags & 1) !== 0,
    wantsCounts: (flags & 2) !== 0,
    users,
  };
}

function readUser(args: Arguments): UserChange {
  return { id: args.text(), steps: args.text() as Steps, maxUsers: args.whole(), info: args.text() };
}
