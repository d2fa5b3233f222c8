import { Subject } from 'rxjs';
import type { ScriptName } from '../../../lib/redis/script-names.ts';
import type { Reply, TopicMessage } from '../../../lib/redis/store-link.ts';
import { type PartitionState, emptyPartition } from './partition-state.ts';
import { runScript } from './scripts.ts';
import { Transaction } from './transaction.ts';

interface Write {
  readonly atMs: number;
  readonly script: ScriptName;
  readonly partition: number;
  readonly args: readonly (string | number | Buffer)[];
}

/** No failover loses more than this. */
const replicaLagMs = 30_000;

/**
 * Redis with the scripts of the store, as plain TypeScript: the same arguments, replies, messages and state. Time is what the
 * caller says it is.
 */
export class ModelStore {
  readonly partitions: number;
  /** What scripts and nodes say, at once. */
  readonly messages$ = new Subject<TopicMessage>();
  #states: PartitionState[];
  /** The state some time ago; with `#writes` it becomes the one of any moment since. */
  #replica: PartitionState[];
  #writes: Write[] = [];

  constructor(partitions: number) {
    this.partitions = partitions;
    this.#states = Array.from({ length: partitions }, emptyPartition);
    this.#replica = structuredClone(this.#states);
  }

  run(script: ScriptName, partition: number, args: Write['args'], atMs: number): Reply {
    this.#writes.push({ atMs, script, partition, args });
    if (this.#writes.length % 1_000 === 0) this.#catchUp(atMs - replicaLagMs);
    return this.#execute(this.#states, { atMs, script, partition, args }, (name, message) =>
      this.messages$.next({ partition, name, message }),
    );
  }

  state(partition: number): PartitionState {
    const state = this.#states[partition];
    if (state === undefined) throw new RangeError(`there is no partition ${partition}`);
    return state;
  }

  /** FLUSHALL: nothing is left, and whoever listens goes on listening. */
  wipe(): void {
    this.#states = Array.from({ length: this.partitions }, emptyPartition);
    this.#replica = structuredClone(this.#states);
    this.#writes = [];
  }

  /** A replica takes over that lags behind: everything written after `lastMs` is lost, at most the last 30 s. */
  failOver(lastMs: number): void {
    this.#catchUp(lastMs);
    this.#writes = [];
    this.#states = structuredClone(this.#replica);
  }

  #catchUp(lastMs: number): void {
    const isLater = this.#writes.findIndex(({ atMs }) => atMs > lastMs);
    const replicated = this.#writes.splice(0, isLater === -1 ? this.#writes.length : isLater);
    for (const write of replicated) this.#execute(this.#replica, write, () => undefined);
  }

  #execute(
    states: readonly PartitionState[],
    { atMs, script, partition, args }: Write,
    publish: (topic: string, message: string) => void,
  ): Reply {
    const state = states[partition];
    if (state === undefined) throw new RangeError(`there is no partition ${partition}`);
    return runScript(script, new Transaction(state, atMs, publish), args);
  }
}
