import type { ClusterNode } from '../cluster/cluster-node.ts';
import type { MaybePromise } from '../flow/maybe-promise.ts';
import { partitionOf } from '../cluster/partition.ts';
import { type Reply, StoreAway, type StoreLink } from '../redis/store-link.ts';
import { AppShare } from './app-share.ts';
import type { ConnectionQuota } from './connection-quota.ts';

/** Connections of one app that may wait for an answer; further ones are refused. */
const maxWaiting = 10_000;
/** Others that have a share they do not use are asked for it; this much later it is there. */
const surplusComesMs = 100;
const giveBackEveryMs = 5_000;

export interface RedisConnectionQuotaTools {
  readonly link: StoreLink;
  readonly node: Pick<ClusterNode, 'holderOf'>;
  /** A share could not be given back although the store is there. */
  readonly onFailed: (error: unknown) => void;
}

/** No share: this node has no lease at the moment. */
interface Answer {
  readonly share: number | undefined;
  readonly others: number;
}

interface Grant {
  /** Whether there is room for one more now. */
  readonly isMore: boolean;
  /** Whether asking again may help: others have a share, or this node's lease is on its way. */
  readonly mayChange: boolean;
}

/**
 * The connections of each app over all nodes, as shares: a node counts up to its share by itself, and asks the store for
 * more in small steps. Calls are answered in their order. While the store is away the share is the limit. More than the
 * limit can be in use after a node that lost its lease, and with it its share, took a new one for what it still has.
 */
export class RedisConnectionQuota implements ConnectionQuota {
  readonly #link: StoreLink;
  readonly #node: Pick<ClusterNode, 'holderOf'>;
  readonly #onFailed: (error: unknown) => void;
  readonly #apps = new Map<string, AppShare>();
  readonly #timer: NodeJS.Timeout;
  #overflows = 0;
  #asked = 0;

  constructor({ link, node, onFailed }: RedisConnectionQuotaTools) {
    this.#link = link;
    this.#node = node;
    this.#onFailed = onFailed;
    this.#timer = setInterval(() => this.#giveBackSome(), giveBackEveryMs).unref();
    void link.up$.forEach((isUp) => {
      if (!isUp) for (const app of this.#apps.values()) app.isUncertain ||= app.share > 0;
    });
    void link.messages$.forEach(({ name, message }) => {
      if (name === 'sys' && message.startsWith('q')) this.#giveBackAll(message.slice(1));
    });
  }

  /** Connections that wait for an answer, or behind one that does. */
  get waiting(): number {
    return this.#sum(({ waiting }) => waiting.size);
  }

  /** Connections that this node may have without asking, those it has included. */
  get shares(): number {
    return this.#sum(({ share }) => share);
  }

  /** Connections that were refused because too many waited. */
  get overflows(): number {
    return this.#overflows;
  }

  /** Questions to the store since the start. */
  get asked(): number {
    return this.#asked;
  }

  used(appId: string): number {
    return this.#apps.get(appId)?.used ?? 0;
  }

  acquire(appId: string, limit: number): MaybePromise<boolean> {
    const app = this.#appOf(appId);
    if (app.waiting.size === 0) {
      const decided = this.#decide(app, limit);
      if (decided !== undefined) {
        this.#forgetIdle(app);
        return decided;
      }
    }
    if (app.waiting.size >= maxWaiting) {
      this.#overflows++;
      return false;
    }
    return new Promise((resolve, reject) => {
      app.waiting.push({ kind: 'acquire', limit, resolve, reject });
      void this.#serve(app);
    });
  }

  release(appId: string, count: number): MaybePromise<void> {
    const app = this.#apps.get(appId);
    if (app === undefined) return undefined;
    if (app.waiting.size === 0) {
      app.giveUp(count);
      this.#forgetIdle(app);
      return undefined;
    }
    return new Promise((resolve) => {
      app.waiting.push({ kind: 'release', count, resolve });
    });
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Undefined: the store has to be asked. */
  #decide(app: AppShare, limit: number): boolean | undefined {
    if (limit === 0) return app.grantWithin(Number.POSITIVE_INFINITY);
    if (app.used >= limit) return false;
    if (!this.#link.isUp) return app.grantWithin(Math.min(app.share, limit));
    if (app.holder === this.#holderOf(app) && app.grantWithin(Math.min(app.share, limit))) return true;
    return undefined;
  }

  /** Answers the calls that wait, until none is left. */
  async #serve(app: AppShare): Promise<void> {
    if (app.isAsking) return;
    app.isAsking = true;
    for (let limit = this.#answerDecided(app); limit !== undefined; limit = this.#answerDecided(app)) {
      try {
        await this.#grow(app, limit);
      } catch (error) {
        this.#answerFull(app, app.waiting.size, error);
      }
    }
    app.isAsking = false;
    this.#forgetIdle(app);
  }

  /** Answers those that need no question; then the limit of the first that does. */
  #answerDecided(app: AppShare): number | undefined {
    for (let call = app.waiting.peek(); call !== undefined; call = app.waiting.peek()) {
      if (call.kind === 'release') {
        app.giveUp(call.count);
        call.resolve();
      } else {
        const decided = this.#decide(app, call.limit);
        if (decided === undefined) return call.limit;
        call.resolve(decided);
      }
      app.waiting.shift();
    }
    return undefined;
  }

  /** Makes room for the first that waits, or refuses all that waited before it was clear that there is none. */
  async #grow(app: AppShare, limit: number): Promise<void> {
    const waited = app.waiting.size;
    const first = await this.#ask(app, app.used + Math.max(app.step, waited), limit);
    if (first.isMore) return;
    if (!first.mayChange) {
      this.#answerFull(app, waited);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, surplusComesMs));
    const waitedTwice = app.waiting.size;
    const second = await this.#ask(app, app.used + Math.max(app.step, waitedTwice), limit);
    if (!second.isMore) this.#answerFull(app, waitedTwice);
  }

  /** There is no room: of the first so many calls only those get a connection that stand behind a release. */
  #answerFull(app: AppShare, count: number, error?: unknown): void {
    for (let i = 0; i < count; i++) {
      const call = app.waiting.shift();
      if (call?.kind === 'release') {
        app.giveUp(call.count);
        call.resolve();
      } else if (call?.kind === 'acquire') {
        const isGranted = this.#decide(app, call.limit) === true;
        if (isGranted || error === undefined) call.resolve(isGranted);
        else call.reject(error);
      }
    }
  }

  /** While the store is away nothing is granted, and the link says so. */
  async #ask(app: AppShare, want: number, limit: number): Promise<Grant> {
    try {
      const { share, others } = await this.#run(app, want, limit);
      if (share === undefined) return { isMore: false, mayChange: true };
      app.share = share;
      return { isMore: app.surplus > 0, mayChange: others > 0 };
    } catch (error) {
      if (error instanceof StoreAway) return { isMore: false, mayChange: false };
      throw error;
    }
  }

  /** Under a new name the former one's share is given up. */
  async #run(app: AppShare, want: number, limit: number): Promise<Answer> {
    const holder = this.#holderOf(app);
    const former = app.holder;
    app.limit = limit;
    const granted = await this.#command(app, holder, app.used, want);
    if (granted.share === undefined) return granted;
    app.holder = holder;
    if (former === undefined || former === holder) return granted;
    // In this order nobody else can have meanwhile what is in use here.
    app.share = granted.share;
    await this.#command(app, former, 0, 0);
    return this.#run(app, want, limit);
  }

  async #command(app: AppShare, holder: string, used: number, want: number): Promise<Answer> {
    this.#asked++;
    const args = [holder, app.appId, used, want, app.limit];
    app.isUncertain = true;
    const reply = await this.#link.run('quota', this.#partitionOf(app), args);
    app.isUncertain = false;
    const [word, share, others] = Array.isArray(reply) ? (reply as readonly Reply[]) : [];
    if (word === 'FENCED') return { share: undefined, others: 0 };
    if (word !== 'OK') throw new Error(`the store answered ${String(word)} to "quota"`);
    return { share: Number(share), others: Number(others) };
  }

  /** Everything that is not used: somebody else was refused. */
  #giveBackAll(appId: string): void {
    const app = this.#apps.get(appId);
    if (app !== undefined && app.surplus > 0) void this.#giveBack(app, app.used);
  }

  #giveBackSome(): void {
    if (!this.#link.isUp) return;
    for (const app of this.#apps.values()) {
      const isRenamed = app.holder !== undefined && app.holder !== this.#holderOf(app);
      const isUncertain = app.isUncertain && !app.isAsking;
      if (app.used === 0 && (app.share > 0 || isUncertain)) void this.#giveBack(app, 0);
      else if (isRenamed || isUncertain || app.surplus > 2 * app.step)
        void this.#giveBack(app, app.used + app.step);
    }
  }

  /** What is given back is not used from here on, whether or not the store hears of it now. */
  async #giveBack(app: AppShare, want: number): Promise<void> {
    if (app.isAsking) return;
    app.isAsking = true;
    app.share = Math.min(app.share, want);
    try {
      const { share } = await this.#run(app, want, app.limit);
      if (share !== undefined) app.share = Math.max(app.used, Math.min(share, want));
    } catch (error) {
      if (!(error instanceof StoreAway)) this.#onFailed(error);
    }
    app.isAsking = false;
    if (app.waiting.size > 0) void this.#serve(app);
    else this.#forgetIdle(app);
  }

  #appOf(appId: string): AppShare {
    let app = this.#apps.get(appId);
    if (app === undefined) {
      app = new AppShare(appId);
      this.#apps.set(appId, app);
    }
    return app;
  }

  #forgetIdle(app: AppShare): void {
    if (app.isIdle) this.#apps.delete(app.appId);
  }

  #partitionOf({ appId }: AppShare): number {
    return partitionOf(appId, '', this.#link.partitions);
  }

  #holderOf(app: AppShare): string {
    return this.#node.holderOf(this.#partitionOf(app));
  }

  #sum(of: (app: AppShare) => number): number {
    let sum = 0;
    for (const app of this.#apps.values()) sum += of(app);
    return sum;
  }
}
