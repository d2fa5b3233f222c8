import { RedisClusterNode } from '../../../lib/cluster/redis-cluster-node.ts';
import type { OwnershipChange, PartitionHeads } from '../../../lib/cluster/cluster-node.ts';
import { Telemetry } from '../../../lib/telemetry/telemetry.ts';
import { EventLog } from '../../support/event-log.ts';
import { FakeLink } from './fake-link.ts';
import { FakeSource } from './fake-source.ts';
import { FakeStore } from './fake-store.ts';

export const settings = { leaseMs: 8000, renewMs: 2000, graceMs: 3000, retainMs: 60_000 };

/** A store that passes on to each link what it publishes. */
export function storeFor(partitions: number) {
  const store = new FakeStore(partitions);
  const links: FakeLink[] = [];
  store.onPublish = (partition, name, message) => {
    for (const { messages$ } of links) queueMicrotask(() => messages$.next({ partition, name, message }));
  };
  return { store, links };
}

interface NodeOptions {
  readonly nodeId?: string;
  readonly partitions?: number;
  readonly shared?: ReturnType<typeof storeFor>;
  readonly mayGive?: (partition: number) => boolean;
}

/** A node on a fake store, with one source of changes. It is not open yet. */
export function nodeOn({ nodeId = 'n1', partitions = 1, shared, mayGive = () => true }: NodeOptions = {}) {
  const { store, links } = shared ?? storeFor(partitions);
  const link = new FakeLink(store, partitions);
  links.push(link);
  const telemetry = new Telemetry({ level: 'debug' });
  const log = new EventLog();
  void telemetry.events$.forEach((event) => log.add(event));
  let ids = 0;
  const newStoreId = (): string => `s${++ids}${nodeId}`;
  const node = new RedisClusterNode({ nodeId, link, telemetry, settings, mayGive, newStoreId });
  const source = new FakeSource();
  node.addSource(source);
  const owned: OwnershipChange[] = [];
  const heads: PartitionHeads[] = [];
  void node.ownership$.forEach((change) => owned.push(change));
  void node.heads$.forEach((told) => heads.push(told));
  const say = (text: string, partition = 0): void => {
    source.add(partition, text);
    node.poke(partition);
  };
  return { node, link, store, source, log, owned, heads, say };
}
