import type { Telemetry } from '../telemetry/telemetry.ts';
import type { ClusterCounts } from './cluster-counts.ts';
import { numberOf, type ScriptCalls } from './script-calls.ts';
import type { Seat } from './seat.ts';
import type { SendGate } from './send-gate.ts';

export interface ReaperOptions {
  readonly seat: Seat;
  readonly calls: ScriptCalls;
  readonly gate: SendGate;
  readonly counts: ClusterCounts;
  readonly telemetry: Telemetry;
  readonly settings: { readonly graceMs: number; readonly retainMs: number };
  readonly onDeadline: (atMs: number) => void;
}

const perCall = 256;

/** Removes what holders left behind in one partition. Several nodes may do it at once: each entry is removed once. */
export class Reaper {
  readonly #options: ReaperOptions;
  readonly #underWay = new Map<string, Promise<boolean>>();

  constructor(options: ReaperOptions) {
    this.#options = options;
  }

  /** Of holders that were fenced. */
  reap(fenced: readonly string[]): void {
    for (const holder of fenced) void this.#once(holder, false);
  }

  /** Of this node under a former name, which is fenced for it. Whether nothing is left of it. */
  reapFormer(holder: string): Promise<boolean> {
    return this.#once(holder, true);
  }

  #once(holder: string, isOwn: boolean): Promise<boolean> {
    const known = this.#underWay.get(holder);
    if (known !== undefined) return known;
    const work = this.#reap(holder, isOwn).finally(() => this.#underWay.delete(holder));
    this.#underWay.set(holder, work);
    return work;
  }

  /** What cannot be finished comes up again with the next renewal, which lists the holder. */
  async #reap(holder: string, isOwn: boolean): Promise<boolean> {
    const { seat, calls, gate, counts, telemetry, settings, onDeadline } = this.#options;
    const { graceMs, retainMs } = settings;
    const how = isOwn ? [1, 'reconciled'] : [0, 'node_lost'];
    let entries = 0;
    for (;;) {
      const { word, rest } = await gate.run(() =>
        calls.run('reap', [seat.holder, holder, seat.storeId, perCall, graceMs, retainMs, ...how]),
      );
      const [left = 0, taken = 0, nextDeadlineMs = 0, writes = 0] = word === 'OK' ? rest.map(numberOf) : [];
      entries += taken;
      if (word === 'OK') {
        seat.wrote(writes);
        onDeadline(nextDeadlineMs);
        if (left > 0) continue;
        counts.reapedHolders++;
      }
      if (entries > 0) telemetry.emit('cluster.reaped', { partition: seat.partition, holder, entries });
      return word === 'OK' || word === 'GONE';
    }
  }
}
