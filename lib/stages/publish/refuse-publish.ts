import { toSpillwayError } from '../../errors/spillway-error.ts';
import type { Telemetry } from '../../telemetry/telemetry.ts';
import type { PublishChecked, PublishedEvent, PublishReceived } from '../events.ts';
import { errorExit } from '../pipeline.ts';

/** Whoever waits for an answer. Events on their way to a channel have nobody who does. */
export type Publisher = PublishReceived | PublishChecked | PublishedEvent;

/** Error exit of publish: the error as the HTTP answer. */
export const refused = errorExit(['telemetry'], (error, publisher: Publisher, { telemetry }) => {
  refusePublish(error, publisher, telemetry);
});

export function refusePublish(thrown: unknown, publisher: Publisher, telemetry: Telemetry): void {
  const error = toSpillwayError(thrown);
  if (!('respond' in publisher)) return;
  const { status } = error.entry;
  publisher.respond(status, JSON.stringify({ error: error.message, code: error.code }));
  telemetry.emit('http.refused', { path: 'events', status, code: error.code, appId: undefined });
}
