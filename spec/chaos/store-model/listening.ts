import type { Topic, TopicMessage } from '../../../lib/redis/store-link.ts';
import { Line } from './line.ts';

interface Listener {
  readonly heard: (message: TopicMessage) => void;
  /** Listening had stopped, and works again. */
  readonly resumed: () => void;
}

interface Waiting {
  readonly keys: readonly string[];
  readonly resolve: () => void;
}

/** The listening connection of a link. */
export class Listening {
  readonly #listener: Listener;
  readonly #requests: Line;
  readonly #news: Line;
  /** What the node wants to hear. */
  readonly #wanted = new Set<string>();
  /** What the store sends. */
  readonly #sent = new Set<string>();
  /** What the node knows to be sent. */
  readonly #confirmed = new Set<string>();
  #waiting: Waiting[] = [];
  #isBroken = false;

  constructor(delayMs: () => number, listener: Listener) {
    this.#listener = listener;
    this.#requests = new Line(delayMs);
    this.#news = new Line(delayMs);
  }

  listen(topics: readonly Topic[]): Promise<void> {
    const keys = topics.map(keyOf);
    for (const key of keys) this.#wanted.add(key);
    return new Promise((resolve) => {
      this.#waiting.push({ keys, resolve });
      this.#subscribe(keys, () => undefined);
    });
  }

  unlisten(topics: readonly Topic[]): void {
    const keys = topics.map(keyOf);
    for (const key of keys) {
      this.#wanted.delete(key);
      this.#confirmed.delete(key);
    }
    this.#settle();
    if (this.#isBroken) return;
    this.#requests.send(() => {
      for (const key of keys) this.#sent.delete(key);
    });
  }

  /** The store says something to whoever listens. */
  said(message: TopicMessage): void {
    if (!this.#sent.has(keyOf(message))) return;
    this.#news.send(() => this.#listener.heard(message));
  }

  cut(): void {
    this.#isBroken = true;
    this.#requests.cut();
    this.#news.cut();
    this.#sent.clear();
  }

  connect(): void {
    this.#isBroken = false;
    const hadConfirmed = this.#confirmed.size > 0;
    this.#subscribe([...this.#wanted], () => {
      if (hadConfirmed) this.#listener.resumed();
    });
  }

  #subscribe(keys: readonly string[], confirmed: () => void): void {
    if (this.#isBroken || keys.length === 0) return;
    this.#requests.send(() => {
      for (const key of keys) this.#sent.add(key);
      this.#news.send(() => {
        for (const key of keys) if (this.#wanted.has(key)) this.#confirmed.add(key);
        this.#settle();
        confirmed();
      });
    });
  }

  #settle(): void {
    const isDone = ({ keys }: Waiting): boolean =>
      keys.every((key) => this.#confirmed.has(key) || !this.#wanted.has(key));
    const done = this.#waiting.filter(isDone);
    this.#waiting = this.#waiting.filter((waiting) => !isDone(waiting));
    for (const { resolve } of done) resolve();
  }
}

function keyOf({ partition, name }: Topic): string {
  return `${partition} ${name}`;
}
