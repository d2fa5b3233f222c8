import type { ScriptName } from '../../../lib/redis/script-names.ts';
import type { LaneState, PartitionState } from './partition-state.ts';
import { streamBytes } from './stream.ts';
import { apps, channels, endpoints, type OutboxStep } from './steps.ts';

type Args = (string | number)[];
type Run = (script: ScriptName, args: Args) => unknown;

/** Plays what the owner of a partition, and whoever looks, does with its outbox. What it says fits the lane as it is. */
export class OutboxDirector {
  readonly #run: Run;
  #batches = 0;

  constructor(run: Run) {
    this.#run = run;
  }

  play(step: OutboxStep, holder: string, state: PartitionState): void {
    if (step.do === 'list') {
      const listed = step.endpoints.flatMap((index) => endpoints[index] ?? []);
      this.#run('endpoints', [step.isNamed ? holder.replace(/\..*$/, '') : '', ...listed]);
    } else if (step.do === 'timeline') {
      this.#timeline(step, state);
    } else {
      const owner = step.isStranger ? holder : (state.store?.owner ?? holder);
      if (step.do === 'lane') this.#lane(step, owner, state);
      else this.#outbox(step, owner, state);
    }
  }

  #timeline(
    { app, amount }: OutboxStep & { readonly do: 'timeline' },
    { store, outbox }: PartitionState,
  ): void {
    const appId = apps[app] ?? '';
    this.#run('timeline', ['snapshot', appId]);
    const generation = amount === 3 ? 'another' : `${store?.epochName ?? ''}.${store?.generation ?? 0}`;
    const from = Math.max(0, (outbox.get(appId)?.head ?? 0) + 1 - amount);
    this.#run('timeline', ['after', appId, generation, from, amount]);
  }

  #lane(step: OutboxStep & { readonly do: 'lane' }, holder: string, state: PartitionState): void {
    const [app, endpoint] = endpoints[step.endpoint] ?? ['', ''];
    const lane = state.lanes.get(`${step.isReplay ? 'rl' : 'l'}:${app}:${endpoint}`);
    const at = [holder, app, endpoint, step.isReplay ? 'replay' : 'log'];
    this.#run('lane', [step.mode, ...at, ...this.#argumentsOf(step, lane, state.outbox.get(app)?.head ?? 0)]);
  }

  #argumentsOf(step: OutboxStep & { readonly do: 'lane' }, lane: LaneState | undefined, head: number): Args {
    const { amount } = step;
    const token = step.isStale ? 1 : (lane?.token ?? 0);
    const upTo = Math.min(
      head,
      (lane?.position ?? 0) - (step.isReplay ? 0 : (lane?.folded.length ?? 0)) + amount,
    );
    const id = step.isStale ? 'none' : (lane?.batches[0]?.id ?? 'none');
    switch (step.mode) {
      case 'read':
        return [amount + 1];
      case 'peek':
        return [amount, amount];
      case 'record':
        return [token, Math.max(0, upTo), ...this.#batch(amount)];
      case 'skip':
        return [token, Math.max(0, upTo)];
      case 'expire':
        return [token, Math.max(0, upTo), 80, ...lettersOf(amount)];
      case 'acknowledge':
        return [id];
      case 'failed':
        return [id, amount % 2, `status ${amount}`];
      case 'split':
        return [id, ...this.#batch(1), ...this.#batch(2)];
      case 'giveUp':
        return [id, 1_000, ...lettersOf(amount)];
      case 'fold':
        return [token, head, amount, 10 * amount, ...eventsOf(amount)];
      case 'replay':
        return [6, ...eventsOf(amount)];
      case 'bury':
        return [80, ...lettersOf(amount)];
      case 'forget':
        return lettersOf(amount).filter((_, index) => index % 2 === 0);
    }
  }

  #batch(amount: number): Args {
    this.#batches += 1;
    const events = `[${eventsOf(amount).join(',')}]`;
    const seqs = channels
      .slice(0, amount)
      .map(({ name }, index) => `${name} s1.0-1 ${index + 1}`)
      .join('\n');
    return [
      `b${this.#batches}`,
      1_700_000_000_000,
      amount,
      1_699_999_999_999,
      seqs,
      events,
      `{"body":${this.#batches}}`,
    ];
  }

  #outbox(step: OutboxStep & { readonly do: 'outbox' }, holder: string, state: PartitionState): void {
    const [app, endpoint] = endpoints[step.endpoint] ?? ['', ''];
    const { amount } = step;
    const head = state.outbox.get(app)?.head ?? 0;
    const beforeMs = 1_700_000_000_000 + 60_000 * amount * amount;
    const asked = {
      backlogs: [amount === 0 ? '' : app],
      entries: [app, Math.max(0, head - amount), amount + 1],
      lanes: [app],
      folded: [app, endpoint, amount, 2],
      dead: [app, endpoint, amount, 2],
      trim: [
        holder,
        app,
        Math.floor((streamBytes(state.outbox.get(app)) * amount) / 4),
        amount % 2 === 0 ? beforeMs : 0,
        5,
      ],
      expire: [holder, app, endpoint, beforeMs, 2],
      seqs: [holder, app, endpoint, 0],
      forget: [holder, app, endpoint, beforeMs],
    }[step.mode];
    this.#run('outbox', [step.mode, ...asked]);
  }
}

function eventsOf(amount: number): string[] {
  return Array.from({ length: amount }, (_, index) =>
    JSON.stringify({ id: `e${index}`, channel: channels[index]?.name, atMs: 1_700_000_000_000 + index }),
  );
}

/** Event ids and texts in turn. */
function lettersOf(amount: number): string[] {
  return Array.from({ length: amount }, (_, index) => [
    `e${index}`,
    `{"letter":"${'x'.repeat(7 * amount)}"}`,
  ]).flat();
}
