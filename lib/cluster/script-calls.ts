import { type Reply, StoreAway, type StoreLink } from '../redis/store-link.ts';
import type { EventFields } from '../telemetry/events.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { ClusterCounts } from './cluster-counts.ts';

/**
 * The first word of a script's answer, and what follows it. Two words are ours: `AWAY`, the store did not answer, and
 * `FAILED`, the script did not run through.
 */
export interface Answer {
  readonly word: string;
  readonly rest: readonly Reply[];
}

type ClusterScript = EventFields<'cluster.script-failed'>['script'];

/** Calls the scripts of one partition. Never throws: that a call had no answer is an answer, and a failure is told. */
export class ScriptCalls {
  readonly #link: StoreLink;
  readonly #partition: number;
  readonly #telemetry: Telemetry;
  readonly #counts: ClusterCounts;

  constructor(link: StoreLink, partition: number, telemetry: Telemetry, counts: ClusterCounts) {
    this.#link = link;
    this.#partition = partition;
    this.#telemetry = telemetry;
    this.#counts = counts;
  }

  async run(script: ClusterScript, args: readonly (string | number)[]): Promise<Answer> {
    const beganMs = performance.now();
    try {
      const reply = await this.#link.run(script, this.#partition, args);
      const [word, ...rest] = Array.isArray(reply) ? (reply as readonly Reply[]) : [reply];
      this.#counts.scripts++;
      this.#counts.scriptMs += performance.now() - beganMs;
      return { word: textOf(word), rest };
    } catch (error) {
      if (error instanceof StoreAway) return { word: 'AWAY', rest: [] };
      this.#telemetry.emit('cluster.script-failed', { script, partition: this.#partition, err: error });
      return { word: 'FAILED', rest: [] };
    }
  }
}

export function textOf(reply: Reply | undefined): string {
  return typeof reply === 'string' || typeof reply === 'number' ? String(reply) : '';
}

/** Redis has whole numbers as numbers, and numbers out of hashes as texts. */
export function numberOf(reply: Reply | undefined): number {
  return Number(textOf(reply));
}
