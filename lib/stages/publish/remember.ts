import { andThen, type MaybePromise } from '../../flow/maybe-promise.ts';
import { defineStage } from '../define-stage.ts';
import type { PublishedEvent } from '../events.ts';

/** Keeps the event for those who come later, if the channel is a cache channel (protocol.md 3.4). */
export const remember = defineStage({
  name: 'remember',
  needs: ['cachedEvents'],
  map: (published: PublishedEvent, { cachedEvents }): MaybePromise<PublishedEvent> => {
    const { app, channel, event, data } = published;
    if (!channel.isCache) return published;
    return andThen(cachedEvents.remember(app.id, channel.name, { event, data }), () => published);
  },
});
