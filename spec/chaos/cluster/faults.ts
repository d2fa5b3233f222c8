import type { Behaviour } from '../../support/receiver.ts';
import { type AppName, appNames } from './apps.ts';
import type { LinkState } from './fault-link.ts';
import type { Times } from './times.ts';

/** What goes wrong. `node` is an index; `forMs` until it is well again, undefined: it stays so. */
export type Fault =
  | { readonly kind: 'kill'; readonly node: number; readonly backAfterMs: number | undefined }
  /** A part of all clients goes first, so that it strikes into batches, or into grace. */
  | {
      readonly kind: 'kill-after-drop';
      readonly node: number;
      readonly afterMs: number;
      readonly backAfterMs: number | undefined;
    }
  /** Between an endpoint's 2xx and the acknowledgement: whoever sends the next request that is taken. */
  | { readonly kind: 'kill-at-take'; readonly backAfterMs: number | undefined }
  | { readonly kind: 'pause'; readonly node: number; readonly forMs: number }
  | { readonly kind: 'rolling-restart' }
  | { readonly kind: 'link'; readonly node: number; readonly state: LinkState; readonly forMs: number }
  | { readonly kind: 'redis-kill'; readonly forMs: number }
  | { readonly kind: 'redis-pause'; readonly forMs: number }
  | { readonly kind: 'wipe' }
  | { readonly kind: 'script-flush' }
  | {
      readonly kind: 'receiver';
      readonly app: AppName;
      readonly behaviour: Behaviour;
      readonly forMs: number;
    }
  /** So many requests are answered with 500, however long that takes. In plans by hand only. */
  | { readonly kind: 'refusals'; readonly app: AppName; readonly count: number };

export interface TimedFault {
  /** From the beginning of the churn. */
  readonly atMs: number;
  readonly fault: Fault;
}

/** Which faults a trial is drawn from: one kill and nothing else, everything, or what one node without Redis survives. */
export type FaultKinds = 'kills' | 'all' | 'receivers';

export interface Plan {
  readonly nodes: number;
  readonly appendfsync: 'always' | 'everysec' | undefined;
  readonly faults: readonly TimedFault[];
}

const behaviours: readonly Behaviour[] = [
  { kind: 'refuse' },
  { kind: 'reset' },
  { kind: 'hang' },
  { kind: 'status', status: 500 },
  { kind: 'status', status: 503 },
  { kind: 'die' },
  { kind: 'slow', ms: 200 },
];

/** The same for the same numbers. */
export function drawPlan(kinds: FaultKinds, times: Times, random: () => number): Plan {
  const draw = new Draw(times, random);
  switch (kinds) {
    case 'kills':
      return {
        nodes: 2 + draw.whole(2),
        appendfsync: 'always',
        faults: [{ atMs: draw.upTo(times.churnMs * 0.7), fault: draw.kill() }],
      };
    case 'receivers':
      return { nodes: 1, appendfsync: undefined, faults: draw.several(() => draw.receiver()) };
    case 'all':
      return {
        nodes: 2 + draw.whole(2),
        appendfsync: random() < 0.7 ? 'always' : 'everysec',
        faults: draw.several(() => draw.any()),
      };
  }
}

/** What a plan says, in a line for each fault. */
export function textOf({ nodes, appendfsync, faults }: Plan): string {
  const lines = faults.map(({ atMs, fault }) => `  ${Math.round(atMs)} ms: ${JSON.stringify(fault)}`);
  return [`${nodes} nodes, appendfsync ${appendfsync ?? '(no Redis)'}`, ...lines].join('\n');
}

class Draw {
  readonly #times: Times;
  readonly #random: () => number;

  constructor(times: Times, random: () => number) {
    this.#times = times;
    this.#random = random;
  }

  whole(below: number): number {
    return Math.floor(this.#random() * below);
  }

  upTo(ms: number): number {
    return Math.round(this.#random() * ms);
  }

  /** One to four, in the order of their time. */
  several(draw: () => Fault): readonly TimedFault[] {
    return Array.from({ length: 1 + this.whole(4) }, () => ({
      atMs: this.upTo(this.#times.churnMs * 0.8),
      fault: draw(),
    })).sort((one, other) => one.atMs - other.atMs);
  }

  kill(): Fault {
    const { leaseMs } = this.#times.cluster;
    const { graceMs } = this.#times.webhooks;
    const backAfterMs = this.#random() < 0.5 ? undefined : this.upTo(leaseMs * 2);
    const node = this.whole(3);
    const dice = this.#random();
    if (dice < 0.3) return { kind: 'kill', node, backAfterMs };
    if (dice < 0.5) return { kind: 'kill-at-take', backAfterMs };
    return { kind: 'kill-after-drop', node, afterMs: this.upTo(dice < 0.75 ? 20 : graceMs * 2), backAfterMs };
  }

  receiver(): Fault {
    const app = this.#oneOf(appNames);
    return { kind: 'receiver', app, behaviour: this.#oneOf(behaviours), forMs: this.upTo(2_000) };
  }

  any(): Fault {
    const { leaseMs } = this.#times.cluster;
    const node = this.whole(3);
    const forMs = Math.round(leaseMs * (0.1 + 2 * this.#random() ** 2));
    return this.#oneOf<() => Fault>([
      () => this.kill(),
      () => this.kill(),
      () => this.receiver(),
      () => this.receiver(),
      () => ({ kind: 'pause', node, forMs }),
      () => ({ kind: 'rolling-restart' }),
      () => ({ kind: 'link', node, state: this.#linkState(), forMs }),
      () => ({ kind: 'link', node, state: this.#linkState(), forMs }),
      () => ({ kind: 'redis-kill', forMs }),
      () => ({ kind: 'redis-pause', forMs }),
      () => ({ kind: 'wipe' }),
      () => ({ kind: 'script-flush' }),
    ])();
  }

  #linkState(): LinkState {
    return this.#oneOf<LinkState>([
      { kind: 'cut' },
      { kind: 'frozen' },
      { kind: 'delayed', ms: 5 + this.upTo(150) },
    ]);
  }

  #oneOf<T>(items: readonly T[]): T {
    return items[this.whole(items.length)] as T;
  }
}
