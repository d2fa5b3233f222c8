import type { EndpointStatus } from '../webhooks/schedule.ts';

/** The better first. */
const states: readonly EndpointStatus['state'][] = ['closed', 'half-open', 'open', 'paused'];

/** How endpoints do, over all workers: the worst state and what was said with it, sums, the last success. */
export function mergeStatuses(of: readonly (readonly EndpointStatus[])[]): readonly EndpointStatus[] {
  const merged = new Map<string, EndpointStatus>();
  for (const status of of.flat()) {
    const key = JSON.stringify([status.appId, status.endpointId]);
    const known = merged.get(key);
    merged.set(key, known === undefined ? status : mergeTwo(known, status));
  }
  return [...merged.values()];
}

function mergeTwo(one: EndpointStatus, other: EndpointStatus): EndpointStatus {
  const isOtherWorse = states.indexOf(other.state) > states.indexOf(one.state);
  const [worse, better] = isOtherWorse ? [other, one] : [one, other];
  return {
    ...worse,
    inFlight: one.inFlight + other.inFlight,
    due: one.due + other.due,
    waiting: one.waiting + other.waiting,
    lastSuccessAtMs: latest(one.lastSuccessAtMs, other.lastSuccessAtMs),
    lastFailure: worse.lastFailure ?? better.lastFailure,
  };
}

function latest(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Math.max(one, other);
}
