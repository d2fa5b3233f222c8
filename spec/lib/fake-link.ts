import { BehaviorSubject, Subject } from 'rxjs';
import type { ScriptName } from '../../lib/redis/script-names.ts';
import {
  type Reply,
  StoreAway,
  type StoreLink,
  type Topic,
  type TopicMessage,
} from '../../lib/redis/store-link.ts';
import { later } from './flow/promises.ts';

type Args = readonly (string | number | Buffer)[];

export interface Call {
  readonly script: ScriptName;
  readonly partition: number;
  readonly args: Args;
}

/** A link without a store: the spec answers for it. */
export class FakeLink implements StoreLink {
  readonly partitions: number;
  readonly up$ = new BehaviorSubject(true);
  readonly messages$ = new Subject<TopicMessage>();
  readonly gaps$ = new Subject<void>();
  readonly calls: Call[] = [];
  readonly published: { readonly topic: Topic; readonly message: string }[] = [];
  readonly listens: {
    readonly topics: readonly string[];
    readonly confirm: () => void;
    fail(e: Error): void;
  }[] = [];
  readonly unlistened: string[][] = [];
  /** What scripts answer; a promise makes them take their time. */
  answer: (call: Call) => Reply | Promise<Reply> = () => ['OK'];

  constructor(partitions = 4) {
    this.partitions = partitions;
  }

  get isUp(): boolean {
    return this.up$.value;
  }

  async run(script: ScriptName, partition: number, args: Args): Promise<Reply> {
    if (!this.isUp) throw new StoreAway('the store is away');
    const call = { script, partition, args };
    this.calls.push(call);
    return this.answer(call);
  }

  publish(topic: Topic, message: string): boolean {
    if (this.isUp) this.published.push({ topic, message });
    return this.isUp;
  }

  listen(topics: readonly Topic[]): Promise<void> {
    const confirmed = later();
    this.listens.push({
      topics: topics.map(({ name }) => name),
      confirm: confirmed.resolve,
      fail: confirmed.reject,
    });
    return confirmed.promise;
  }

  unlisten(topics: readonly Topic[]): void {
    this.unlistened.push(topics.map(({ name }) => name));
  }

  open(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
