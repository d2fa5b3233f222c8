import { isPromise, type MaybePromise } from '../../../lib/flow/maybe-promise.ts';
import { MemoryOutbox, type MemoryOutboxOptions } from '../../../lib/outbox/memory/memory-outbox.ts';
import { type Lane, laneKey, type OutboxEndpoint } from '../../../lib/outbox/outbox.ts';
import type { OutboxEvent } from '../../../lib/outbox/outbox-event.ts';
import { ManualClock } from '../manual-clock.ts';
import { endpoint, room } from './open-outbox.ts';

export const retainMs = 3_600_000;

/** An outbox in memory with one partition and one endpoint, and what it said to an operator. */
export function memoryOutbox(
  own: Partial<MemoryOutboxOptions> & { readonly clock?: ManualClock } = {},
  endpoints = [endpoint('hook')],
) {
  const clock = own.clock ?? new ManualClock();
  const said: string[] = [];
  const outbox = new MemoryOutbox({
    graceMs: 0,
    partitions: 1,
    retainMs,
    maxBytesPerApp: 1_000_000,
    onCoalesced: ({ endpointId, events }) => said.push(`${endpointId} coalesced ${events}`),
    onDeadLettered: ({ endpointId, events, reason }) =>
      said.push(`${endpointId} buried ${events}: ${reason}`),
    onExpired: ({ endpointId, events }) => said.push(`${endpointId} expired ${events}`),
    ...own,
    clock,
  });
  const lanes = new Map<string, Lane>();
  void outbox.work$.forEach(({ lane }) => lanes.set(laneKey(lane), lane));
  const open = (...open: readonly OutboxEndpoint[]): void => outbox.open(open);
  open(...endpoints);
  return { outbox, clock, said, open, lanes, ...actionsOf(outbox), lane: laneOf('hook') };
}

/** The answer of an outbox in memory, which is there at once while the clock stands. */
export function now<T>(answer: MaybePromise<T>): T {
  if (isPromise(answer)) throw new Error('the answer comes later');
  return answer;
}

export function laneOf(endpointId: string, partition: Lane['partition'] = 0): Lane {
  return { appId: 'app-1', endpointId, partition };
}

export function actionsOf(outbox: MemoryOutbox) {
  let batches = 0;
  const pending = (lane: Lane): readonly OutboxEvent[] =>
    outbox.read(lane, 100_000).events.map(({ event }) => event);
  /** Records what a lane has, up to `limit` events; answers the batch's id. */
  const record = (lane: Lane, limit = 100_000): string => {
    const { events, token } = outbox.read(lane, limit);
    const id = `msg_${++batches}`;
    const body = Buffer.from(id);
    const batch = { id, body, events: events.map(({ event }) => event), createdAtMs: 1 };
    if (!outbox.record(lane, token, events.at(-1)?.position ?? 0, batch))
      throw new Error('the lane had changed');
    return id;
  };
  return {
    pending,
    record,
    deliver: (lane: Lane): void => outbox.acknowledge(lane, record(lane)),
    say: (...texts: readonly string[]): void =>
      outbox.append(
        texts.map((data) => ({
          kind: 'client_event',
          appId: 'app-1',
          channel: room,
          event: 'client-said',
          data,
          socketId: '1.1',
        })),
      ),
    occupy: (...channels: readonly string[]): void => {
      for (const channel of channels) outbox.lifecycle.occupied('app-1', channel);
    },
    vacate: (...channels: readonly string[]): void => {
      for (const channel of channels) outbox.lifecycle.vacated('app-1', channel);
    },
  };
}
