import { SpillwayError } from '../errors/spillway-error.ts';
import { andThen } from '../flow/maybe-promise.ts';
import type { ParsedQuery } from '../protocol/http-signature.ts';
import { keptPayload } from '../webhooks/kept-payload.ts';
import type { Endpoint } from './api-request.ts';

const defaultLimit = 100;
const maxLimit = 1_000;

/** `GET /apps/:id/lifecycle?after=POSITION&limit=`: the lifecycle events behind a position (R10). */
export const lifecycleAfter: Endpoint = ({ app, query }, { outbox }) =>
  andThen(outbox.lifecycleAfter(app.id, positionOf(query), limitOf(query)), (page) => {
    if (page === 'gone') throw new SpillwayError('lifecycle.gone');
    if (page === 'off') throw new SpillwayError('lifecycle.off', { appId: app.id });
    return { events: page.events.map(keptPayload), position: page.position, has_more: page.hasMore };
  });

function positionOf(query: ParsedQuery): string {
  const position = query.get('after');
  if (position === undefined) throw new SpillwayError('http.missing-parameter', { parameter: 'after' });
  if (/^[\w-]{1,16384}$/.test(position)) return position;
  throw new SpillwayError('http.invalid-parameter', {
    parameter: 'after',
    expected: 'the position of an earlier answer',
  });
}

function limitOf(query: ParsedQuery): number {
  const text = query.get('limit') ?? String(defaultLimit);
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= maxLimit) return limit;
  throw new SpillwayError('http.invalid-parameter', {
    parameter: 'limit',
    expected: `a number from 1 to ${maxLimit}`,
  });
}
