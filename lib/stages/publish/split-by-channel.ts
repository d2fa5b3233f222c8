import { defineStage } from '../define-stage.ts';
import type { PublishChecked, PublishedEvent } from '../events.ts';

/** One event for one channel each: what the rest of the pipeline works on. */
export const splitByChannel = defineStage({
  name: 'split-by-channel',
  needs: ['telemetry'],
  split: ({ app, events }: PublishChecked, { telemetry }): readonly PublishedEvent[] => {
    if (telemetry.isEnabled('event.published')) {
      for (const { channels, data } of events) {
        const names = channels.map((channel) => channel.name);
        telemetry.emit('event.published', {
          appId: app.id,
          channels: names,
          bytes: Buffer.byteLength(data),
          publisher: 'http',
        });
      }
    }
    const published: PublishedEvent[] = [];
    for (const { channels, event, data, exceptSocketId } of events) {
      for (const channel of channels) published.push({ app, channel, event, data, exceptSocketId });
    }
    return published;
  },
});
