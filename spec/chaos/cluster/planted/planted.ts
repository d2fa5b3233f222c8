import { startServerProcess } from '../../../support/process.ts';
import type { Fault, Plan } from '../faults.ts';
import type { StartProcess } from '../rig-node.ts';
import { tenth, type Times } from '../times.ts';

/** Shorter than in other trials: most of these never converge. */
const times: Times = { ...tenth, churnMs: 1_500, convergeMs: 6_000 };
/** Many are in grace at once. */
const longGrace: Times = { ...times, webhooks: { ...times.webhooks, graceMs: 1_500 } };

interface Planted {
  /** In sabotages.js. */
  readonly sabotage: string;
  readonly seed: number;
  readonly plan: Plan;
  readonly times: Times;
  /** What has to be said against it. */
  readonly complaint: RegExp;
}

const calm: Plan = { nodes: 2, appendfsync: 'always', faults: [] };

function planOf(atMs: number, fault: Fault): Plan {
  return { ...calm, faults: [{ atMs, fault }] };
}

/** Half of the clients have just gone, and nearly nobody comes any more. */
const killInGrace = planOf(times.churnMs - 100, {
  kind: 'kill-after-drop',
  node: 0,
  afterMs: 200,
  backAfterMs: undefined,
});

const killInChurn = planOf(1_000, { kind: 'kill', node: 0, backAfterMs: undefined });

const failingEndpoint = planOf(0, { kind: 'refusals', app: 'one', count: 5 });

/** Clusters that break a promise each, in which the checker has to notice it. */
export const planted: Readonly<Record<string, Planted>> = {
  'appends an event after the state change instead of with it': {
    sabotage: 'appends-later',
    seed: 1,
    plan: killInChurn,
    times,
    complaint: /seq \d+ where \d+ was due|was there, and nobody was told/,
  },
  'holds the grace in the memory of the node that was told of the leave': {
    sabotage: 'grace-in-memory',
    seed: 2,
    plan: killInGrace,
    times: longGrace,
    complaint: /was never told to have gone|vacated was never told/,
  },
  'ignores that an event could not be enqueued': {
    sabotage: 'ignores-failed-enqueue',
    seed: 3,
    plan: calm,
    times,
    complaint: /seq \d+ where \d+ was due/,
  },
  'ignores what became of a delivery': {
    sabotage: 'ignores-delivery-result',
    seed: 4,
    plan: failingEndpoint,
    times,
    complaint: /prev_seq \d+ where \d+ was due|was there, and nobody was told/,
  },
  'skips plain channels when a node dies': {
    sabotage: 'reaps-members-only',
    seed: 5,
    plan: killInChurn,
    times,
    complaint: /channel \w+:(plain|private)-\w: holder \S+ is not alive/,
  },
  'shares batches between apps': {
    sabotage: 'shares-batches',
    seed: 6,
    plan: calm,
    times,
    complaint: /user \S+ is of another app/,
  },
  'computes filters and ignores them': {
    sabotage: 'ignores-filters',
    seed: 7,
    plan: calm,
    times,
    complaint: /subscription_count \S+ .+: not asked for/,
  },
};

/** Nodes of a trial that are sabotaged so. */
export function sabotagedBy(sabotage: string): StartProcess {
  return (config) =>
    startServerProcess(config, { PLANTED: sabotage }, 'spec/chaos/cluster/planted/sabotaged-node.js');
}
