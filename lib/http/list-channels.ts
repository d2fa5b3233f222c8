import { SpillwayError } from '../errors/spillway-error.ts';
import { andThen } from '../flow/maybe-promise.ts';
import { parseChannelName } from '../protocol/channel-name.ts';
import type { Endpoint } from './api-request.ts';
import { requestedInfo } from './requested-info.ts';

/** `GET /apps/:id/channels`: the occupied channels, by prefix (protocol.md 7.1). */
export const listChannels: Endpoint = ({ app, query }, { membership }) => {
  const prefix = query.get('filter_by_prefix') ?? '';
  const info = requestedInfo(query);
  if (info.has('user_count') && !prefix.startsWith('presence-'))
    throw new SpillwayError('http.user-count-prefix');
  const countsSubscriptions = info.has('subscription_count');
  if (countsSubscriptions && !app.config.subscriptionCount)
    throw new SpillwayError('http.subscription-count-off');

  return andThen(membership.channels(app.id, prefix), (summaries) => {
    const channels = summaries.map(({ channel, users, subscriptions }) => {
      const isPresence = parseChannelName(channel)?.kind === 'presence';
      const attributes = {
        ...(info.has('user_count') && isPresence ? { user_count: users } : {}),
        ...(countsSubscriptions ? { subscription_count: subscriptions } : {}),
      };
      return [channel, attributes] as const;
    });
    return { channels: Object.fromEntries(channels) };
  });
};
