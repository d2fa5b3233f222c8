import type { ChannelName } from '../protocol/channel-name.ts';
import type { ChannelRegistry } from './channel-registry.ts';
import type { Connection } from './connection.ts';
import type { JoiningSubscription, PendingLeave, Subscription } from './subscription.ts';

/**
 * The life of a subscription on this node: joining → subscribed → leaving → gone. Every step is synchronous, and keeps
 * the connection's view and the channel's view the same.
 */
export class Subscriptions {
  readonly #registry: ChannelRegistry;
  #subscribed = 0;

  constructor(registry: ChannelRegistry) {
    this.#registry = registry;
  }

  /** Subscriptions in force, for the gauge. */
  get size(): number {
    return this.#subscribed;
  }

  /** A subscribe was accepted and the store is being told. */
  begin(connection: Connection, name: ChannelName, userId: string | undefined): JoiningSubscription {
    const channel = this.#registry.findOrCreate(connection.app, name);
    const joining: JoiningSubscription = {
      connection,
      channel,
      incarnation: ++connection.incarnations,
      userId,
      heldEvents: [],
    };
    channel.joining.add(joining);
    connection.joining.set(name.name, joining);
    return joining;
  }

  /** Whether the joiner is still there: its connection did not close while the store was asked. */
  isCurrent(joining: JoiningSubscription): boolean {
    return joining.channel.joining.has(joining);
  }

  /** From here on the connection gets what is published to the channel, and what is announced after `snapshotVersion`. */
  activate(joining: JoiningSubscription, snapshotVersion: number): Subscription {
    const { connection, channel, incarnation, userId } = joining;
    this.#forget(joining);
    const subscription: Subscription = {
      connection,
      channel,
      incarnation,
      userId,
      snapshotVersion,
      cursor: channel.nextSequence,
    };
    channel.announcing.shown(snapshotVersion);
    channel.subscriptions.add(subscription);
    connection.subscriptions.set(channel.name.name, subscription);
    this.#subscribed++;
    return subscription;
  }

  /** The join was refused: nothing is left of it. */
  abandon(joining: JoiningSubscription): void {
    this.#forget(joining);
    this.#registry.release(joining.channel);
  }

  /** The subscription ends here and now; the store hears of it by the leave this answers. */
  end(subscription: Subscription): PendingLeave {
    subscription.connection.subscriptions.delete(subscription.channel.name.name);
    return this.#takeOff(subscription);
  }

  /** Ends everything the connection holds, joins under way included. */
  endAll(connection: Connection): readonly PendingLeave[] {
    const leaves: PendingLeave[] = [];
    for (const subscription of connection.subscriptions.values()) leaves.push(this.#takeOff(subscription));
    connection.subscriptions.clear();
    for (const joining of connection.joining.values()) {
      this.#forget(joining);
      leaves.push(leaveOf(joining));
    }
    return leaves;
  }

  /** Leaves of the channel that no call to the store carries yet; the caller's next call does. */
  takeLeaves({ channel }: JoiningSubscription): readonly PendingLeave[] {
    const leaves = channel.pendingLeaves.untold();
    this.carry(leaves);
    return leaves;
  }

  /** A call to the store carries these leaves: no join has to. */
  carry(leaves: readonly PendingLeave[]): void {
    for (const leave of leaves) if (leave.state === 'untold') leave.state = 'carried';
  }

  /** The call that carried these leaves failed. */
  giveBack(leaves: readonly PendingLeave[]): void {
    for (const leave of leaves) {
      if (leave.state === 'carried') leave.state = 'untold';
    }
  }

  /** The store has heard of the leave. */
  forgetLeave(leave: PendingLeave): void {
    leave.channel.pendingLeaves.heard(leave);
    this.#registry.release(leave.channel);
  }

  #takeOff(subscription: Subscription): PendingLeave {
    subscription.channel.subscriptions.delete(subscription);
    this.#subscribed--;
    return leaveOf(subscription);
  }

  #forget(joining: JoiningSubscription): void {
    joining.channel.joining.delete(joining);
    joining.connection.joining.delete(joining.channel.name.name);
  }
}

function leaveOf({
  connection,
  channel,
  incarnation,
  userId,
}: Subscription | JoiningSubscription): PendingLeave {
  const leave: PendingLeave = {
    channel,
    socketId: connection.socketId,
    incarnation,
    userId,
    state: 'untold',
  };
  channel.pendingLeaves.add(leave);
  return leave;
}
