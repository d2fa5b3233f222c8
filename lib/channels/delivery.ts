import type { BusMessage, EventMessage } from '../bus/bus.ts';
import { channelEvent } from '../protocol/server-messages.ts';
import type { Announcer } from './announcer.ts';
import type { ChannelRegistry } from './channel-registry.ts';
import type { Connection } from './connection.ts';
import type { ConnectionRegistry } from './connection-registry.ts';
import type { Fanout } from './fanout.ts';
import type { UserConnections } from './user-connections.ts';
import type { Watchlists } from './watchlists.ts';

/** Events a joiner of a cache channel holds while the cached one is looked up. */
const maxHeldEvents = 64;

export interface DeliveryParts {
  readonly registry: ChannelRegistry;
  readonly connections: Pick<ConnectionRegistry, 'find'>;
  readonly fanout: Fanout;
  readonly announcer: Announcer;
  readonly signedIn: UserConnections;
  readonly watchlists: Watchlists;
  /** Ends a connection because the application said so. */
  readonly terminate: (connection: Connection) => void;
  /** Each event encoded once and sent with what else is pending; false: encoded and sent for each subscriber. */
  readonly coalesces: boolean;
}

/** The end of the bus on this node: takes each message to the connections it is for. */
export function deliver(parts: DeliveryParts, message: BusMessage): void {
  switch (message.kind) {
    case 'event':
      deliverEvent(parts, message);
      return;
    case 'membership':
      parts.announcer.announce(message);
      return;
    case 'user':
      parts.watchlists.announce(message);
      return;
    case 'terminate':
      for (const connection of [...parts.signedIn.of(message.appId, message.userId)])
        parts.terminate(connection);
      return;
  }
}

function deliverEvent(parts: DeliveryParts, message: EventMessage): void {
  const { registry, connections, fanout, coalesces } = parts;
  const channel = registry.find(message.appId, message.channel);
  if (channel === undefined) return;
  if (channel.name.isCache && message.fromClient !== true) {
    for (const joining of channel.joining) {
      if (joining.heldEvents.length >= maxHeldEvents) joining.heldEvents.shift();
      joining.heldEvents.push(message);
    }
  }
  if (channel.subscriptions.size === 0) return;
  const { exceptSocketId } = message;
  const except = exceptSocketId === undefined ? undefined : connections.find(exceptSocketId);
  if (coalesces) {
    fanout.publish(channel, eventText(message), except);
    return;
  }
  for (const { connection } of channel.subscriptions) {
    if (connection !== except) fanout.reply(connection, eventText(message));
  }
}

/** The frame's text. Event and channel are the publisher's, data its text, user_id only what the server knows. */
export function eventText(message: EventMessage): string {
  return channelEvent(message.event, message.channel, message.data, message.userId, message.encoded);
}
