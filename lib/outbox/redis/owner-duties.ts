import type { ClusterNode, PartitionHeads } from '../../cluster/cluster-node.ts';
import type { StoreLink } from '../../redis/store-link.ts';
import type { BacklogRelief } from './backlog-relief.ts';
import type { EndpointList } from './endpoint-list.ts';
import type { OwnedLanes } from './owned-lanes.ts';
import type { PartitionStore } from './partition-store.ts';
import type { Retention } from './retention.ts';
import type { Upkeep } from './upkeep.ts';

export interface OwnerDutiesOptions {
  readonly link: StoreLink;
  readonly node: ClusterNode;
  readonly partitions: PartitionStore;
  readonly endpoints: EndpointList;
  readonly owned: OwnedLanes;
  readonly relief: BacklogRelief;
  readonly retention: Retention;
  readonly upkeep: Upkeep;
  /** The store knows this node's endpoints in the partition. */
  readonly onListed: (partition: number) => void;
}

const wake = 'wake';
const sweepMs = 60_000;

/** What a node does for the partitions it owns: hears of new entries, tells work, folds and lets go. */
export class OwnerDuties {
  readonly #options: OwnerDutiesOptions;
  /** Partitions in which the store may not know this node's endpoints. */
  readonly #unlisted = new Set<number>();
  /** Of each partition, as it was last told. */
  readonly #generations = new Map<number, number>();
  #sweep: NodeJS.Timeout | undefined;

  constructor(options: OwnerDutiesOptions) {
    this.#options = options;
    const { link, node } = options;
    void node.ownership$.forEach(({ partition, isOwned }) =>
      isOwned ? this.#take(partition) : this.#give(partition),
    );
    void node.heads$.forEach((heads) => this.#onHeads(heads));
    void link.messages$.forEach(({ partition, name, message }) => {
      if (name === wake) this.#onWake(partition, message);
    });
    void link.gaps$.forEach(() => this.#loadAll());
    void link.up$.forEach((isUp) => {
      if (isUp) this.#loadAll();
    });
  }

  /** Lists the endpoints of this node's configuration in every partition, and begins. */
  async open(): Promise<void> {
    const { link, node, partitions, endpoints, owned } = this.#options;
    const all = Array.from({ length: link.partitions }, (_, partition) => partition);
    const apps = await Promise.all(all.map((partition) => partitions.list(partition, endpoints.all)));
    endpoints.noteApps(apps.flat());
    for (const partition of all) if (node.owns(partition) && !owned.isOwned(partition)) owned.take(partition);
    await Promise.all(owned.owned.map((partition) => this.#loadNow(partition)));
    this.#sweep ??= setInterval(() => this.sweep(), sweepMs).unref();
  }

  /** What this node listed in the partition may be gone. */
  listAgain(partition: number): void {
    this.#unlisted.add(partition);
    this.#list(partition);
  }

  sweep(): void {
    const { owned, retention, upkeep, relief } = this.#options;
    this.#listMissing();
    for (const partition of owned.owned) {
      upkeep.run(`sweep ${partition}`, async () => {
        await retention.sweep(partition);
        for (const [appId] of owned.headsOf(partition)) relief.check(partition, appId);
        this.#load(partition);
      });
    }
  }

  /** Reads again what its partitions have, for messages may be on their way still. */
  catchUp(): Promise<void> {
    this.#loadAll();
    return this.#options.upkeep.idle();
  }

  close(): void {
    clearInterval(this.#sweep);
    this.#options.upkeep.close();
  }

  #take(partition: number): void {
    this.#options.owned.take(partition);
    this.#load(partition);
  }

  #give(partition: number): void {
    const { link, owned, relief } = this.#options;
    owned.give(partition);
    relief.forget(partition);
    link.unlisten([{ partition, name: wake }]);
  }

  #loadAll(): void {
    for (const partition of this.#options.owned.owned) this.#load(partition);
  }

  #load(partition: number): void {
    this.#options.upkeep.run(`load ${partition}`, () => this.#loadNow(partition));
  }

  /** Listens before it reads: what is appended in between is heard of. */
  async #loadNow(partition: number): Promise<void> {
    const { link, partitions, endpoints, owned, relief } = this.#options;
    if (!owned.isOwned(partition)) return;
    await link.listen([{ partition, name: wake }]);
    owned.reload(partition);
    const backlogs = await partitions.backlogs(partition);
    endpoints.noteApps(backlogs.map(({ appId }) => appId));
    owned.load(partition, backlogs);
    for (const [appId, head] of owned.headsOf(partition)) relief.noteHead(partition, appId, head);
    // Given while it was read.
    if (!owned.isOwned(partition)) link.unlisten([{ partition, name: wake }]);
  }

  #onHeads({ partition, generation, heads }: PartitionHeads): void {
    const known = this.#generations.get(partition) ?? generation;
    this.#generations.set(partition, generation);
    if (generation !== known) this.#unlisted.add(partition);
    this.#listMissing();
    const { owned } = this.#options;
    if (!owned.isOwned(partition)) return;
    owned.tellWithheld(partition);
    if (owned.isLoaded(partition)) for (const [appId, head] of heads) this.#onHead(partition, appId, head);
    else this.#load(partition);
  }

  /** `app head [app head …]`, or `: app endpoint events` of a replay lane. */
  #onWake(partition: number, message: string): void {
    const words = message.split(' ');
    if (words[0] === ':') {
      const [, appId = '', endpointId = '', events] = words;
      this.#options.owned.tellReplay(partition, appId, endpointId, Number(events));
      return;
    }
    for (let at = 0; at + 1 < words.length; at += 2) {
      this.#onHead(partition, words[at] ?? '', Number(words[at + 1]));
    }
  }

  #onHead(partition: number, appId: string, head: number): void {
    const { owned, relief } = this.#options;
    if (owned.noteHead(partition, appId, head)) relief.noteHead(partition, appId, head);
  }

  #listMissing(): void {
    for (const partition of this.#unlisted) this.#list(partition);
  }

  #list(partition: number): void {
    const { partitions, endpoints, owned, upkeep, onListed } = this.#options;
    upkeep.run(`list ${partition}`, async () => {
      if (!this.#unlisted.has(partition)) return;
      this.#unlisted.delete(partition);
      try {
        endpoints.noteApps(await partitions.list(partition, endpoints.all));
      } catch (error) {
        this.#unlisted.add(partition);
        throw error;
      }
      onListed(partition);
      if (owned.isOwned(partition)) this.#load(partition);
    });
  }
}
