import { BehaviorSubject, EMPTY, Subject } from 'rxjs';
import type { ScriptName } from '../../../lib/redis/script-names.ts';
import {
  type Reply,
  StoreAway,
  type StoreLink,
  type Topic,
  type TopicMessage,
} from '../../../lib/redis/store-link.ts';
import type { FakeStore } from './fake-store.ts';

export interface FakeCall {
  readonly script: ScriptName;
  readonly partition: number;
  readonly args: readonly (string | number)[];
}

/** What goes wrong with a call: it does not reach the store, or its answer does not come back. */
export type Fault = 'request-lost' | 'reply-lost';

/** One node's way to a fake store. Answers come in the next turn of promises, unless they are held. */
export class FakeLink implements StoreLink {
  readonly partitions: number;
  readonly up$ = new BehaviorSubject(true);
  readonly messages$ = new Subject<TopicMessage>();
  readonly gaps$ = EMPTY;
  readonly calls: FakeCall[] = [];
  readonly listenedTo: Topic[] = [];
  /** Asked for each call. */
  faultOf: (call: FakeCall) => Fault | undefined = () => undefined;
  /** Answers instead of the store; undefined: the store does. It may throw. */
  answerOf: (call: FakeCall) => Reply | undefined = () => undefined;
  /** Calls for which it is true wait for `release`. */
  holds: (call: FakeCall) => boolean = () => false;
  readonly #store: FakeStore;
  #held: (() => void)[] = [];

  constructor(store: FakeStore, partitions: number) {
    this.#store = store;
    this.partitions = partitions;
  }

  get isUp(): boolean {
    return this.up$.value;
  }

  callsOf(script: ScriptName, partition?: number): readonly FakeCall[] {
    return this.calls.filter(
      (call) => call.script === script && (partition === undefined || call.partition === partition),
    );
  }

  get held(): number {
    return this.#held.length;
  }

  release(howMany = this.#held.length): void {
    for (const answer of this.#held.splice(0, howMany)) answer();
  }

  async run(
    script: ScriptName,
    partition: number,
    args: readonly (string | number | Buffer)[],
  ): Promise<Reply> {
    if (!this.isUp) throw new StoreAway('down');
    const call = { script, partition, args: args as readonly (string | number)[] };
    this.calls.push(call);
    const fault = this.faultOf(call);
    if (fault === 'request-lost') throw new StoreAway('the request was lost');
    const reply = this.answerOf(call) ?? this.#store.run(script, partition, call.args);
    if (this.holds(call)) await new Promise<void>((answer) => this.#held.push(answer));
    if (fault === 'reply-lost') throw new StoreAway('the reply was lost');
    return reply;
  }

  publish(): boolean {
    return this.isUp;
  }

  listen(topics: readonly Topic[]): Promise<void> {
    this.listenedTo.push(...topics);
    return Promise.resolve();
  }

  unlisten(): void {
    throw new Error('nobody here stops listening');
  }

  open(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.up$.complete();
    this.messages$.complete();
    return Promise.resolve();
  }
}
