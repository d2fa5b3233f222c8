import type { Reply } from '../../../lib/redis/store-link.ts';
import type { Arguments } from './arguments.ts';
import type { ChannelState } from './partition-state.ts';
import { subscriptionsOf, usersPresent } from './presence.ts';
import { userVersionOf, versionOf } from './telling.ts';
import { inOrder } from './in-order.ts';
import { channelName, type Transaction } from './transaction.ts';

/** A channel's users at its version; of too many only how many subscriptions there are. */
export function view(tx: Transaction, args: Arguments): Reply {
  const channel = tx.channel(channelName(args.text(), args.text()));
  const limit = args.whole();
  const version = versionIn(tx, channel);
  const subscriptions = subscriptionsOf(channel);
  const present = [...(channel?.users ?? [])].filter(([, { holders }]) => holders > 0);
  if (present.length > limit) return ['LARGE', version, subscriptions];
  return [
    'OK',
    version,
    subscriptions,
    present.length,
    ...present.flatMap(([user, { info }]) => [user, info]),
  ];
}

export function channels(tx: Transaction, args: Arguments): Reply {
  const app = args.text();
  const prefix = args.text();
  const names = inOrder(tx.state.appChannels.get(app)).filter((name) => name.startsWith(prefix));
  return [
    'OK',
    ...names.flatMap((name) => {
      const channel = tx.channel(channelName(app, name));
      const subscriptions = subscriptionsOf(channel);
      return channel === undefined || subscriptions === 0 ? [] : [name, subscriptions, usersPresent(channel)];
    }),
  ];
}

export function channel(tx: Transaction, args: Arguments): Reply {
  const found = tx.channel(channelName(args.text(), args.text()));
  return ['OK', subscriptionsOf(found), found === undefined ? 0 : usersPresent(found)];
}

export function users(tx: Transaction, args: Arguments): Reply {
  const found = tx.channel(channelName(args.text(), args.text()));
  const present = [...(found?.users ?? [])].filter(([, { holders }]) => holders > 0);
  return ['OK', ...present.map(([user]) => user)];
}

/** Whether users are signed in, at a version that no announcement of them is above. */
export function states(tx: Transaction, args: Arguments): Reply {
  const signedIn = tx.state.signedIn.get(args.text());
  const online = args.rest().map((user) => (signedIn?.has(user) === true ? 1 : 0));
  const { store } = tx.state;
  return ['OK', store === undefined ? 0 : userVersionOf(store), ...online];
}

function versionIn(tx: Transaction, channel: ChannelState | undefined): number {
  const { store } = tx.state;
  return store === undefined ? 0 : versionOf(store, channel);
}
