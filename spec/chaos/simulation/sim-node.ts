import { Subject } from 'rxjs';
import type { Config } from '../../../config/schema.ts';
import type { TopicMessage } from '../../../lib/redis/store-link.ts';
import { createSharedStores, type SharedStores } from '../../../lib/shared-stores.ts';
import type { PostWebhook } from '../../../lib/webhooks/post.ts';
import type { Client } from '../../pipelines/running-node.ts';
import { ModelLink, type StoreAccess } from '../store-model/model-link.ts';
import type { ModelStore } from '../store-model/model-store.ts';
import { VirtualNode, type VirtualNodeOptions } from '../virtual-node.ts';
import { Process, type VirtualClock } from './virtual-clock.ts';

/** What is put in the place of the product's own parts, to see that it is noticed. */
export interface Plant {
  /** Between the node and the store. */
  readonly store?: (access: StoreAccess, store: ModelStore) => StoreAccess;
  readonly post?: (post: PostWebhook) => PostWebhook;
  readonly onParts?: VirtualNodeOptions['onParts'];
}

export interface SimNodeOptions {
  readonly name: string;
  readonly clock: VirtualClock;
  readonly store: ModelStore;
  readonly config: Config;
  readonly post: (poster: SimNode) => PostWebhook;
  readonly plant: Plant;
}

/** A whole node of the cluster, without sockets: a process of its own in virtual time, with its own link to the store. */
export class SimNode {
  readonly name: string;
  readonly process = new Process();
  readonly link: ModelLink;
  readonly #clock: VirtualClock;
  readonly #node: VirtualNode;
  #stores: SharedStores | undefined;
  readonly #killed: Promise<void>;
  #onKilled: () => void = () => undefined;
  #stalledUntilMs = 0;
  /** Its clients are sent away, or were. */
  isStopping = false;

  constructor({ name, clock, store, config, post, plant }: SimNodeOptions) {
    this.name = name;
    this.#clock = clock;
    this.#killed = new Promise((resolve) => {
      this.#onKilled = resolve;
    });
    const access = this.#accessTo(store);
    this.link = clock.as(
      this.process,
      () =>
        new ModelLink({
          store: plant.store?.(access, store) ?? access,
          delayMs: () => Math.max(1 + 2 * Math.random(), this.#stalledUntilMs - clock.nowMs),
        }),
    );
    const posts = post(this);
    this.#node = clock.as(
      this.process,
      () =>
        new VirtualNode({
          config,
          nodeId: name,
          post: plant.post?.(posts) ?? posts,
          createStores: (...args) => {
            this.#stores = createSharedStores(this.link, ...args);
            return this.#stores;
          },
          ...(plant.onParts === undefined ? {} : { onParts: plant.onParts }),
        }),
    );
  }

  get stores(): SharedStores {
    if (this.#stores === undefined) throw new Error('the node made no stores');
    return this.#stores;
  }

  get isUp(): boolean {
    return !this.process.isDead;
  }

  /** Fulfilled as well when it is killed meanwhile. */
  start(): Promise<void> {
    return this.#unlessKilled(() => this.#node.start());
  }

  /** In a step of the node's process. */
  open(appKey: string): Client {
    return this.#node.open(appKey);
  }

  close(client: Client, closeCode: number): void {
    this.#node.close(client, closeCode);
  }

  /** Gracefully, unless it is killed meanwhile; nothing of it is left. */
  async stop(): Promise<void> {
    this.isStopping = true;
    await this.#unlessKilled(() => this.#node.stop());
    this.process.kill();
  }

  /** At once and for good. */
  kill(): void {
    this.cutLink();
    this.process.kill();
    this.#onKilled();
  }

  pause(): void {
    this.process.pause();
  }

  resume(): void {
    if (this.process.isPaused) this.#clock.resume(this.process);
  }

  cutLink(): void {
    if (this.isUp) this.#clock.as(this.process, () => this.link.cut());
  }

  healLink(): void {
    if (this.isUp) this.#clock.as(this.process, () => this.link.heal());
  }

  /** The link is whole and carries nothing for so long: what is sent arrives then. */
  stall(ms: number): void {
    this.#stalledUntilMs = this.#clock.nowMs + ms;
  }

  get stalledForMs(): number {
    return Math.max(0, this.#stalledUntilMs - this.#clock.nowMs);
  }

  #unlessKilled(work: () => Promise<void>): Promise<void> {
    return Promise.race([this.#clock.within(this.process, work), this.#killed]);
  }

  /** What it hears of the store it hears in its own time. */
  #accessTo(store: ModelStore): StoreAccess {
    const heard$ = new Subject<TopicMessage>();
    store.messages$.subscribe((message) => {
      if (!this.process.isDead) this.#clock.as(this.process, () => heard$.next(message));
    });
    return {
      partitions: store.partitions,
      run: (...args) => store.run(...args),
      messages$: {
        next: (message) => store.messages$.next(message),
        subscribe: (hear) => heard$.subscribe(hear),
      },
    };
  }
}
