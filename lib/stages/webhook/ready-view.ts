import { SpillwayError } from '../../errors/spillway-error.ts';
import type { TurnChosen, WebhookPayload, WebhookReady } from '../../webhooks/turn.ts';
import type { SlotView } from '../slot-view.ts';

/** What receivers deduplicate and order by. */
const fixedFields = ['name', 'channel', 'id', 'seq', 'prev_seq', 'epoch'] as const;

/**
 * Stages in `webhook:ready` see the batch and not the turn, which knows the endpoint's keys. They may change and add
 * payload fields; what makes an event the one it is has to stay.
 */
export const readyView: SlotView<TurnChosen, WebhookReady> = {
  show: ({ ready }) => ready,
  putBack: (turn, answer, stage) => {
    if (answer === turn.ready) return turn;
    const events = unchanged(turn.ready.events, eventsOf(answer, stage), stage);
    return { ...turn, ready: sealed({ ...turn.ready, events }) };
  },
};

/** Stages change a batch by answering another one: the one they are shown stays as it is. */
export function sealed(ready: WebhookReady): WebhookReady {
  for (const payload of ready.events) Object.freeze(payload);
  Object.freeze(ready.events);
  return Object.freeze(ready);
}

function eventsOf(answer: unknown, stage: string): readonly unknown[] {
  const events: unknown =
    typeof answer === 'object' && answer !== null && 'events' in answer ? answer.events : undefined;
  if (Array.isArray(events)) return events;
  throw changed(stage, 'answered no batch');
}

function unchanged(
  before: readonly WebhookPayload[],
  after: readonly unknown[],
  stage: string,
): readonly WebhookPayload[] {
  if (after.length !== before.length) {
    throw changed(stage, `made ${after.length} events of ${before.length}`);
  }
  return before.map((payload, index) => {
    const given = after[index];
    if (!isObject(given)) throw changed(stage, `answered no event at place ${index + 1}`);
    const field = fixedFields.find((name) => given[name] !== payload[name]);
    if (field !== undefined) throw changed(stage, `changed ${field} of the event at place ${index + 1}`);
    return { ...given, name: payload.name, channel: payload.channel };
  });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function changed(stage: string, mistake: string): SpillwayError {
  return new SpillwayError('webhook.changed', { stage, mistake });
}
