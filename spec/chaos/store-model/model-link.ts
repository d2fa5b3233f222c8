import { BehaviorSubject, Subject, type Subscription } from 'rxjs';
import type { ScriptName } from '../../../lib/redis/script-names.ts';
import {
  type Reply,
  StoreAway,
  type StoreLink,
  type Topic,
  type TopicMessage,
} from '../../../lib/redis/store-link.ts';
import { Line } from './line.ts';
import { Listening } from './listening.ts';
import type { ModelStore } from './model-store.ts';

/** The store as a link sees it. */
export interface StoreAccess extends Pick<ModelStore, 'partitions' | 'run'> {
  readonly messages$: Pick<Subject<TopicMessage>, 'next'> & {
    subscribe(hear: (message: TopicMessage) => void): Subscription;
  };
}

export interface ModelLinkOptions {
  readonly store: StoreAccess;
  /** How long something takes in one direction, asked each time. Default: 1 ms. */
  readonly delayMs?: () => number;
  /** A call without an answer is given up after this time; it may still run. Default: 2 s. */
  readonly timeoutMs?: number;
  /** How long it takes to see that the link is cut, and to connect when it is whole again. Default: 200 ms. */
  readonly noticeMs?: number;
}

interface Call {
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** A node's link to the model of the store, over a network that loses what it is told to lose. In virtual time. */
export class ModelLink implements StoreLink {
  readonly messages$ = new Subject<TopicMessage>();
  readonly gaps$ = new Subject<void>();
  readonly up$ = new BehaviorSubject(true);
  readonly #store: StoreAccess;
  readonly #timeoutMs: number;
  readonly #noticeMs: number;
  readonly #requests: Line;
  readonly #answers: Line;
  readonly #listening: Listening;
  readonly #subscription: Subscription;
  readonly #calls = new Set<Call>();
  #isCut = false;
  /** From a cut until it has connected again. */
  #isBroken = false;
  #noticing: NodeJS.Timeout | undefined;
  #requestsToLose = 0;
  #answersToLose = 0;

  constructor({ store, delayMs = () => 1, timeoutMs = 2_000, noticeMs = 200 }: ModelLinkOptions) {
    this.#store = store;
    this.#timeoutMs = timeoutMs;
    this.#noticeMs = noticeMs;
    this.#requests = new Line(delayMs);
    this.#answers = new Line(delayMs);
    this.#listening = new Listening(delayMs, {
      heard: (message) => this.messages$.next(message),
      resumed: () => this.gaps$.next(),
    });
    this.#subscription = store.messages$.subscribe((message) => this.#listening.said(message));
  }

  get partitions(): number {
    return this.#store.partitions;
  }

  get isUp(): boolean {
    return this.up$.value;
  }

  run(script: ScriptName, partition: number, args: readonly (string | number | Buffer)[]): Promise<Reply> {
    if (!this.isUp) return Promise.reject(new StoreAway('the link is down'));
    return new Promise((resolve, reject) => {
      const giveUp = (): void => this.#fail(call, new StoreAway(`no answer within ${this.#timeoutMs} ms`));
      const call: Call = { reject, timer: setTimeout(giveUp, this.#timeoutMs) };
      this.#calls.add(call);
      if (this.#isBroken || this.#loses('request')) return;
      this.#requests.send(() => {
        const answer = this.#execute(script, partition, args);
        if (this.#loses('answer')) return;
        this.#answers.send(() => {
          if (answer instanceof Error) this.#fail(call, answer);
          else if (this.#end(call)) resolve(answer);
        });
      });
    });
  }

  publish({ partition, name }: Topic, message: string): boolean {
    if (!this.isUp) return false;
    if (this.#isBroken || this.#loses('request')) return true;
    this.#requests.send(() => this.#store.messages$.next({ partition, name, message }));
    return true;
  }

  listen(topics: readonly Topic[]): Promise<void> {
    return this.#listening.listen(topics);
  }

  unlisten(topics: readonly Topic[]): void {
    this.#listening.unlisten(topics);
  }

  open(): Promise<void> {
    return this.isUp ? Promise.resolve() : Promise.reject(new StoreAway('the link is down'));
  }

  close(): Promise<void> {
    this.cut();
    clearTimeout(this.#noticing);
    this.#rejectCalls('the link is closed');
    this.#subscription.unsubscribe();
    return Promise.resolve();
  }

  /** The network does not carry the next requests: the store does not hear of them. */
  loseRequests(count: number): void {
    this.#requestsToLose += count;
  }

  /** The next scripts run, and nobody is told. */
  loseAnswers(count: number): void {
    this.#answersToLose += count;
  }

  /** What is on the way is lost, and so is what is sent until the link is whole and has connected again. */
  cut(): void {
    this.#isCut = true;
    this.#isBroken = true;
    this.#requests.cut();
    this.#answers.cut();
    this.#listening.cut();
    this.#after(() => this.#goDown());
  }

  heal(): void {
    if (!this.#isCut) return;
    this.#isCut = false;
    if (!this.isUp) this.#after(() => this.#connect());
  }

  #goDown(): void {
    if (this.isUp) this.up$.next(false);
    this.#rejectCalls('the link was cut');
    if (!this.#isCut) this.#after(() => this.#connect());
  }

  #connect(): void {
    this.#isBroken = false;
    this.#listening.connect();
    this.up$.next(true);
  }

  #after(notice: () => void): void {
    clearTimeout(this.#noticing);
    this.#noticing = setTimeout(notice, this.#noticeMs);
  }

  /** A script's own error goes to the caller, as one of Redis does. */
  #execute(
    script: ScriptName,
    partition: number,
    args: readonly (string | number | Buffer)[],
  ): Reply | Error {
    try {
      return this.#store.run(script, partition, args, Date.now());
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  #loses(what: 'request' | 'answer'): boolean {
    if (what === 'request' && this.#requestsToLose > 0) {
      this.#requestsToLose -= 1;
      return true;
    }
    if (what === 'answer' && this.#answersToLose > 0) {
      this.#answersToLose -= 1;
      return true;
    }
    return false;
  }

  #rejectCalls(why: string): void {
    for (const call of [...this.#calls]) this.#fail(call, new StoreAway(why));
  }

  #fail(call: Call, error: Error): void {
    if (this.#end(call)) call.reject(error);
  }

  /** False: it was answered or given up before. */
  #end(call: Call): boolean {
    clearTimeout(call.timer);
    return this.#calls.delete(call);
  }
}
