import { Cluster, type Redis } from 'ioredis';
import { keySlot } from './key-slot.ts';
import type { Topic } from './store-link.ts';

/** The only node of a store that is no Cluster. */
const main = 'main';

/** Where partitions lie: the keys of each, and the node that has it. */
export class Places {
  readonly partitions: readonly number[];
  readonly #commands: Redis | Cluster;
  readonly #keyPrefix: string;

  constructor(commands: Redis | Cluster, keyPrefix: string, partitions: number) {
    this.partitions = Array.from({ length: partitions }, (_, partition) => partition);
    this.#commands = commands;
    this.#keyPrefix = keyPrefix;
  }

  keyOf(partition: number): string {
    return `${this.#keyPrefix}{${partition}}`;
  }

  channelOf({ partition, name }: Topic): string {
    return `${this.keyOf(partition)}:t:${name}`;
  }

  /** Undefined while the Cluster has not said. */
  nodeOf(partition: number): string | undefined {
    const commands = this.#commands;
    return commands instanceof Cluster ? commands.slots[keySlot(String(partition))]?.[0] : main;
  }

  nodes(): readonly string[] {
    return [...new Set(this.partitions.flatMap((partition) => this.nodeOf(partition) ?? []))];
  }
}
