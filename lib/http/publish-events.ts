import type { Endpoint } from './api-request.ts';

/** `POST /apps/:id/events`: the publish pipeline checks, answers and delivers (protocol.md 7.4). */
export const publishEvents: Endpoint = ({ app, body, respond }, { publishes }) => {
  publishes.next({ app, isBatch: false, body, respond });
  return undefined;
};

/** `POST /apps/:id/batch_events`. */
export const publishBatch: Endpoint = ({ app, body, respond }, { publishes }) => {
  publishes.next({ app, isBatch: true, body, respond });
  return undefined;
};
