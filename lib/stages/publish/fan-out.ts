import { andThen, type MaybePromise } from '../../flow/maybe-promise.ts';
import { defineStage } from '../define-stage.ts';
import type { PublishedEvent } from '../events.ts';

/** To every subscriber, here and on other nodes. */
export const fanOut = defineStage({
  name: 'fan-out',
  needs: ['bus'],
  map: (published: PublishedEvent, { bus }): MaybePromise<PublishedEvent> => {
    const { app, channel, event, data, exceptSocketId } = published;
    const message = { kind: 'event', appId: app.id, channel: channel.name, event, data } as const;
    const sent = bus.publish(exceptSocketId === undefined ? message : { ...message, exceptSocketId });
    return andThen(sent, () => published);
  },
});
