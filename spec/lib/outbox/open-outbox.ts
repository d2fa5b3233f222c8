import type { RawObject } from '../../../config/raw.ts';
import type { Join, Leave, MembershipChange } from '../../../lib/membership/membership-store.ts';
import {
  type Lane,
  type LaneContent,
  laneKey,
  type NewBatch,
  type OutboxEndpoint,
} from '../../../lib/outbox/outbox.ts';
import type { OutboxEvent } from '../../../lib/outbox/outbox-event.ts';
import { openStores, type StoresFixture } from '../stores.ts';

export const room = 'presence-room';
export const graceMs = 60_000;

export function join(socketId: string, userId?: string, own: Partial<Join> = {}): Join {
  const member = userId === undefined ? {} : { member: { userId, userInfoJson: undefined } };
  const rest = { appId: 'app-1', channel: room, incarnation: 1, maxMembers: 0, counted: false };
  return { kind: 'join', socketId, ...rest, ...member, ...own };
}

export function leave(socketId: string, own: Partial<Leave> = {}): Leave {
  const rest = { appId: 'app-1', channel: room, incarnation: 1, counted: false };
  return { kind: 'leave', socketId, ...rest, ...own };
}

export function endpoint(id: string, own: Partial<OutboxEndpoint> = {}): OutboxEndpoint {
  return { appId: 'app-1', id, takes: () => true, ...own };
}

/** An event in words: its kind, and whom it speaks of. */
export function inWords(event: OutboxEvent): string {
  const user = 'userId' in event ? ` ${event.userId}` : '';
  return event.kind === 'spillway_coalesced' ? `left out ${event.count}` : `${event.kind}${user}`;
}

/**
 * An outbox behind its membership store, and somebody who reads it as the webhook pipelines do. The grace is a minute:
 * getting an answer takes some of the virtual time.
 */
export function openOutbox(fixture: StoresFixture, webhooks: RawObject = {}) {
  const { stores, answerOf } = openStores(fixture, () => undefined, {
    webhooks: { graceMs: graceMs, ...webhooks },
  });
  const { outbox, membership } = stores;
  const lanes = new Map<string, Lane>();
  let batches = 0;
  void outbox.work$.forEach(({ lane }) => lanes.set(laneKey(lane), lane));

  const lanesOf = (endpointId: string): readonly Lane[] =>
    [...lanes.values()].filter((lane) => lane.endpointId === endpointId);
  const read = (lane: Lane, limit = 1_000): Promise<LaneContent> => answerOf(outbox.read(lane, limit));
  const newBatch = (events: readonly OutboxEvent[]): NewBatch => ({
    id: `msg_${++batches}`,
    body: Buffer.from(JSON.stringify(events)),
    events,
    createdAtMs: Date.now(),
  });
  /** Records what a lane has, up to `limit` events, as its next batch. */
  const record = async (lane: Lane, limit?: number): Promise<NewBatch> => {
    const { events, token } = await read(lane, limit);
    const batch = newBatch(events.map(({ event }) => event));
    const upTo = events.at(-1)?.position ?? -1;
    if (!(await answerOf(outbox.record(lane, token, upTo, batch)))) throw new Error('the lane had changed');
    return batch;
  };
  /** Reads, records and acknowledges until nothing is left; answers what came. */
  const deliver = async (endpointId = 'hook', limit?: number): Promise<readonly OutboxEvent[]> => {
    const told: OutboxEvent[] = [];
    for (const lane of lanesOf(endpointId)) {
      for (;;) {
        const { batch, events } = await read(lane, limit);
        if (batch === undefined && events.length === 0) break;
        const next = batch ?? (await record(lane, limit));
        await answerOf(outbox.acknowledge(lane, next.id));
        told.push(...next.events);
      }
    }
    return told;
  };
  return {
    outbox,
    answerOf,
    lanesOf,
    read,
    newBatch,
    record,
    deliver,
    /** The only lane of an endpoint that has work. */
    laneOf: (endpointId = 'hook') => lanesOf(endpointId)[0]!,
    open: (...endpoints: readonly OutboxEndpoint[]) => answerOf(outbox.open(endpoints)),
    apply: (...changes: readonly MembershipChange[]) => answerOf(membership.apply(changes)),
    settle: () => answerOf(stores.settle()),
    elapse: (ms: number) => fixture.elapse(ms),
  };
}
