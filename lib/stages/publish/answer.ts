import { andThen, isPromise, type MaybePromise } from '../../flow/maybe-promise.ts';
import type { ChannelName } from '../../protocol/channel-name.ts';
import { defineStage } from '../define-stage.ts';
import type { PublishChecked, PublishRequestEvent } from '../events.ts';
import type { Services } from '../services.ts';
import { refusePublish } from './refuse-publish.ts';

/** Tells the publisher that its events are accepted. Counts it asked for are looked up beside the delivery, not before it. */
export const answer = defineStage({
  name: 'answer',
  needs: ['membership', 'telemetry'],
  map: (checked: PublishChecked, services): PublishChecked => {
    const body = bodyOf(checked, services.membership);
    if (isPromise(body)) {
      body.then(
        (text) => checked.respond(200, text),
        (error: unknown) => refusePublish(error, checked, services.telemetry),
      );
    } else {
      checked.respond(200, body);
    }
    return checked;
  },
});

type Attributes = Readonly<Record<string, number>>;

function bodyOf(
  { app, events, isBatch }: PublishChecked,
  membership: Services['membership'],
): MaybePromise<string> {
  if (events.every((event) => event.info.size === 0)) return '{}';
  const counted = app.config.subscriptionCount;
  const infos = all(events.map((event) => infoOf(app.id, event, membership, counted)));
  return andThen(infos, (infos) => {
    if (isBatch) return JSON.stringify({ batch: infos.map((info) => Object.values(info)[0] ?? {}) });
    return JSON.stringify({ channels: infos[0] });
  });
}

function infoOf(
  appId: string,
  { channels, info }: PublishRequestEvent,
  membership: Services['membership'],
  counted: boolean,
): MaybePromise<Readonly<Record<string, Attributes>>> {
  const entries = channels.map((channel) =>
    andThen(membership.channel(appId, channel.name), (summary) => {
      const attributes = attributesOf(channel, summary ?? { users: 0, subscriptions: 0 }, info, counted);
      return [channel.name, attributes] as const;
    }),
  );
  return andThen(all(entries), (entries) => Object.fromEntries(entries));
}

/** What does not apply to a channel is left out (protocol.md 7.4). */
function attributesOf(
  channel: ChannelName,
  { users, subscriptions }: { readonly users: number; readonly subscriptions: number },
  info: ReadonlySet<string>,
  counted: boolean,
): Attributes {
  return {
    ...(info.has('user_count') && channel.kind === 'presence' ? { user_count: users } : {}),
    ...(info.has('subscription_count') && counted ? { subscription_count: subscriptions } : {}),
  };
}

function all<T>(values: readonly MaybePromise<T>[]): MaybePromise<readonly T[]> {
  return values.some(isPromise) ? Promise.all(values) : (values as readonly T[]);
}
