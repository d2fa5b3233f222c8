/** How long things take in a trial, in milliseconds. */
export interface Times {
  /** The configuration of the nodes. */
  readonly cluster: { readonly leaseMs: number; readonly renewMs: number; readonly sweepMs: number };
  readonly webhooks: { readonly graceMs: number; readonly timeoutMs: number; readonly batchWindowMs: number };
  /** Clients come and go for so long while faults strike. */
  readonly churnMs: number;
  /** The longest time from the end of the faults until all agree. */
  readonly convergeMs: number;
}

/**
 * About a tenth of the real times. The lease is longer than that: a request of a webhook begins only with its time limit
 * and a second of the lease left.
 */
export const tenth: Times = {
  cluster: { leaseMs: 2_000, renewMs: 300, sweepMs: 100 },
  webhooks: { graceMs: 300, timeoutMs: 500, batchWindowMs: 25 },
  churnMs: 3_000,
  convergeMs: 25_000,
};

/** The times of the product. */
export const real: Times = {
  cluster: { leaseMs: 8_000, renewMs: 2_000, sweepMs: 1_000 },
  webhooks: { graceMs: 3_000, timeoutMs: 4_000, batchWindowMs: 250 },
  churnMs: 20_000,
  convergeMs: 60_000,
};

/** When the last of what is on its way has shown itself: a lease that runs out, its grace, and the delivery of it. */
export function aftermathMs({ cluster, webhooks }: Times): number {
  return cluster.leaseMs + webhooks.graceMs + cluster.sweepMs + 2 * webhooks.batchWindowMs;
}
