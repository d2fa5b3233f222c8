import { SpillwayError } from '../errors/spillway-error.ts';
import { andThen, type MaybePromise } from '../flow/maybe-promise.ts';
import type { ChannelName } from '../protocol/channel-name.ts';
import type { ApiServices, Endpoint } from './api-request.ts';
import { channelOf } from './channel-of.ts';
import { requestedInfo } from './requested-info.ts';

/** `GET /apps/:id/channels/:name`: whether it is occupied, and what was asked about it (protocol.md 7.1). */
export const showChannel: Endpoint = ({ app, names, query }, services) => {
  const channel = channelOf(names);
  const info = requestedInfo(query);
  ensureApplicable(channel, info, app.config.subscriptionCount);
  return andThen(services.membership.channel(app.id, channel.name), (summary) =>
    andThen(info.has('cache') ? cacheOf(app.id, channel.name, services) : undefined, (cache) => ({
      occupied: summary !== undefined,
      ...(info.has('user_count') ? { user_count: summary?.users ?? 0 } : {}),
      ...(info.has('subscription_count') ? { subscription_count: summary?.subscriptions ?? 0 } : {}),
      ...(cache === undefined ? {} : { cache }),
    })),
  );
};

function ensureApplicable(channel: ChannelName, info: ReadonlySet<string>, counted: boolean): void {
  if (info.has('user_count') && channel.kind !== 'presence') throw new SpillwayError('http.user-count-kind');
  if (info.has('subscription_count') && !counted) throw new SpillwayError('http.subscription-count-off');
  if (info.has('cache') && !channel.isCache) throw new SpillwayError('http.cache-kind');
}

function cacheOf(
  appId: string,
  channel: string,
  { cachedEvents }: ApiServices,
): MaybePromise<{ data: string; ttl: number } | null> {
  return andThen(cachedEvents.recall(appId, channel), (cached) =>
    cached === undefined ? null : { data: cached.data, ttl: cached.ttlSeconds },
  );
}
