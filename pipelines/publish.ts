import type { PublishedEvent, PublishReceived } from '../lib/stages/events.ts';
import { pipeline } from '../lib/stages/pipeline.ts';
import { answer } from '../lib/stages/publish/answer.ts';
import { check } from '../lib/stages/publish/check.ts';
import { fanOut } from '../lib/stages/publish/fan-out.ts';
import { type Publisher, refused } from '../lib/stages/publish/refuse-publish.ts';
import { remember } from '../lib/stages/publish/remember.ts';
import { splitByChannel } from '../lib/stages/publish/split-by-channel.ts';

/** The application publishes events: all are checked before one is delivered, then each goes to its channel in order. */
export const publish = pipeline<Publisher, PublishReceived>('publish')
  .to(check)
  .to(answer)
  .to(splitByChannel)
  .inOrder('publishLanes', ({ app, channel }: PublishedEvent) => `${app.id} ${channel.name}`)
  .slot('publish:accepted')
  .to(remember)
  .to(fanOut)
  .refused(refused);
