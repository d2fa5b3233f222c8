import type { Config } from '../../../config/schema.ts';
import { SpillwayError } from '../../errors/spillway-error.ts';
import { isJsonObject, type JsonObject, ownField, parseJson } from '../../protocol/json.ts';
import { maxEventsPerBatch } from '../../protocol/limits.ts';
import { defineStage } from '../define-stage.ts';
import type { PublishChecked, PublishReceived, PublishRequestEvent } from '../events.ts';
import { toRequestEvent } from './request-event.ts';

/** Events that may wait for their channel's turn before publishers are asked to wait. */
export const maxWaitingEvents = 10_000;

/** Everything about the request is checked before anything of it is delivered: a batch is all or nothing (protocol.md 7.4). */
export const check = defineStage({
  name: 'check',
  needs: ['config', 'publishLanes'],
  map: (received: PublishReceived, { config, publishLanes }): PublishChecked => {
    if (publishLanes.depth >= maxWaitingEvents) throw new SpillwayError('http.overloaded');
    const { app, isBatch, body, respond } = received;
    const request = parseJson(body.toString('utf8'));
    if (!isJsonObject(request)) throw new SpillwayError('http.malformed-json');
    const events = isBatch ? batchOf(request, config) : [toRequestEvent(request, config, 'event')];
    return { app, isBatch, events, respond };
  },
});

function batchOf(request: JsonObject, config: Config): readonly PublishRequestEvent[] {
  const batch = ownField(request, 'batch');
  if (batch === undefined) throw new SpillwayError('http.missing-parameter', { parameter: 'batch' });
  if (!Array.isArray(batch))
    throw new SpillwayError('http.invalid-parameter', { parameter: 'batch', expected: 'an array' });
  if (batch.length > maxEventsPerBatch) {
    throw new SpillwayError('http.batch-too-large', { given: batch.length, limit: maxEventsPerBatch });
  }
  return batch.map((item: unknown, index) => {
    if (isJsonObject(item)) return toRequestEvent(item, config, 'batch item');
    throw new SpillwayError('http.invalid-parameter', {
      parameter: `batch[${index}]`,
      expected: 'an object',
    });
  });
}
