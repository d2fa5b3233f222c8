import type { Reply } from '../../redis/store-link.ts';
import type { EventCause, LifecycleKind, OutboxEvent } from '../outbox-event.ts';
import { listOf, numberOf, pairsOf, textOf, textsOf } from './replies.ts';

/** An event in the stream of its app and partition. */
export interface Entry {
  /** 1, 2, 3, … without a gap. */
  readonly number: number;
  readonly event: OutboxEvent;
}

export function toEntries(appId: string, reply: Reply | undefined): readonly Entry[] {
  return listOf(reply).map((entry) => {
    const [id, fields] = listOf(entry);
    return {
      number: Number.parseInt(textOf(id), 10),
      event: toEvent(appId, new Map(pairsOf(textsOf(fields)))),
    };
  });
}

function toEvent(appId: string, fields: ReadonlyMap<string, string>): OutboxEvent {
  const kind = textOf(fields.get('k'));
  const common = { appId, channel: textOf(fields.get('c')), atMs: numberOf(fields.get('t')) };
  const rest = fields.get('j');
  if (rest !== undefined) return { kind, ...common, ...(JSON.parse(rest) as object) } as OutboxEvent;
  const epoch = textOf(fields.get('e'));
  const seq = numberOf(fields.get('s'));
  const userId = fields.get('u');
  const cause = fields.get('x') as EventCause | undefined;
  return {
    kind: kind as LifecycleKind,
    id: `${epoch}-${seq}`,
    ...common,
    epoch,
    seq,
    ...(userId === undefined ? {} : { userId }),
    ...(cause === undefined ? {} : { cause }),
  };
}
