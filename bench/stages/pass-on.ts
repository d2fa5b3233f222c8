import { defineStage } from 'spillway';

/** Stages as a user would write them, which look at everything and pass it on: what standing there costs. */
export const lookAtMessages = defineStage({
  name: 'look-at-messages',
  slot: 'message:authorized',
  filter: (message) => message.kind !== 'client-event' || message.channel !== 'private-forbidden',
});

export const lookAtEvents = defineStage({
  name: 'look-at-events',
  slot: 'publish:accepted',
  map: (published, { metrics }) => {
    metrics.count('published');
    return published;
  },
});
