import type { Observable } from 'rxjs';
import { SpillwayError } from '../errors/spillway-error.ts';
import type { ScriptName } from './script-names.ts';

/** What a script answers: Redis has texts, whole numbers, nothing and lists of these. */
export type Reply = string | number | null | readonly Reply[];

/** Where what a script or a node says is heard: it lies in the slot of its partition. */
export interface Topic {
  readonly partition: number;
  readonly name: string;
}

export interface TopicMessage extends Topic {
  readonly message: string;
}

/**
 * The store did not answer: it cannot be reached, or took too long. Whether the script ran is not known, and it may still
 * run: whoever repeats it has to see to it that twice is once (batch numbers, tokens, absolute values).
 */
export class StoreAway extends SpillwayError {
  readonly reason: string;

  constructor(reason: string) {
    super('redis.away', { reason });
    this.reason = reason;
  }
}

/**
 * The way to the store that all nodes share: scripts, each in one partition, and messages on topics. Everything a node
 * asks of the store goes through here, so that a model can stand in its place.
 */
export interface StoreLink {
  readonly partitions: number;
  /** Whether calls have a chance: the breaker of the link is closed. */
  readonly isUp: boolean;
  /** `isUp` now and whenever it changes. */
  readonly up$: Observable<boolean>;
  /**
   * Runs a script in a partition. The link puts its own argument before these: how many milliseconds the clock of specs is
   * ahead (0 otherwise).
   *
   * @throws StoreAway, at once while the link is not up. Another error: the script itself failed.
   */
  run(script: ScriptName, partition: number, args: readonly (string | number | Buffer)[]): Promise<Reply>;
  /** Says something to every node that listens, in the order of the calls for each topic. False: it could not be sent. */
  publish(topic: Topic, message: string): boolean;
  /** Fulfilled when the store has confirmed all of them; while it is away, when it is back. */
  listen(topics: readonly Topic[]): Promise<void>;
  unlisten(topics: readonly Topic[]): void;
  readonly messages$: Observable<TopicMessage>;
  /** Messages may have been missed: listening had stopped, and works again. */
  readonly gaps$: Observable<void>;
  /** Before the first call. Fails when the store cannot be used: unreachable, too old, or a policy that would lose keys. */
  open(): Promise<void>;
  close(): Promise<void>;
}
