import type { Channel } from '../../channels/channel.ts';
import type { MaybePromise } from '../../flow/maybe-promise.ts';
import type { Services } from '../services.ts';

/** Subscribers that miss the same event within this time are told to the application as one. */
const toldEveryMs = 10_000;

/** Puts it into the outbox that a cache channel held no event for a subscriber (protocol.md 3.4). */
export function tellCacheMiss(
  channel: Channel,
  { clock, endpoints, outbox }: Pick<Services, 'clock' | 'endpoints' | 'outbox'>,
): MaybePromise<void> {
  const [appId, nowMs] = [channel.app.id, clock.now()];
  if (nowMs - channel.cacheMissToldAtMs < toldEveryMs) return undefined;
  if (!endpoints.want(appId, 'cache_miss', channel.name.name)) return undefined;
  channel.cacheMissToldAtMs = nowMs;
  return outbox.append([{ kind: 'cache_miss', appId, channel: channel.name.name }]);
}
