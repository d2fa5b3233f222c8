import { type Lane, laneKey } from '../outbox.ts';

/** Which lanes of a partition this node is sending something of. */
export class AttemptsUnderWay {
  readonly #limitMs: number;
  /** By partition and lane: until when its attempt may take, on this process's own clock. */
  readonly #until = new Map<number, Map<string, number>>();

  /** @param limitMs Whatever was not settled after so long is over. */
  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  begin(lane: Lane, partition: number): void {
    const lanes = this.#until.get(partition) ?? new Map<string, number>();
    lanes.set(laneKey(lane), performance.now() + this.#limitMs);
    this.#until.set(partition, lanes);
  }

  end(lane: Lane, partition: number): void {
    this.#until.get(partition)?.delete(laneKey(lane));
  }

  isAtRest(partition: number): boolean {
    const nowMs = performance.now();
    return [...(this.#until.get(partition)?.values() ?? [])].every((untilMs) => untilMs <= nowMs);
  }
}
