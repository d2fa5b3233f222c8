import type { Reply } from '../../../lib/redis/store-link.ts';
import type { Arguments } from './arguments.ts';
import { inOrder } from './in-order.ts';
import type { LaneState } from './partition-state.ts';
import { toldMembers } from './presence.ts';
import { channelName, type Transaction } from './transaction.ts';

/** The endpoints of a node's configuration; what no live node lists is retired. A node without a name only looks. */
export function endpoints(tx: Transaction, args: Arguments): Reply {
  const node = args.text();
  if (node !== '') list(tx, node, args);
  const listed = listedByLive(tx, node);
  const apps = inOrder(tx.state.endpointApps);
  for (const app of apps) {
    const ofApp = tx.state.endpoints.get(app) ?? new Map<string, string>();
    for (const [endpoint, closedAt] of ofApp) {
      if (closedAt === '' && !listed.has(`${app}:${endpoint}`)) ofApp.set(endpoint, String(tx.nowMs));
    }
  }
  return ['OK', ...apps];
}

function list(tx: Transaction, node: string, args: Arguments): void {
  const listing = new Set<string>();
  tx.state.listings.set(node, listing);
  while (!args.isAtEnd) {
    const [app, endpoint] = [args.text(), args.text()];
    listing.add(`${app}:${endpoint}`);
    tx.state.endpointApps.add(app);
    const ofApp = tx.state.endpoints.get(app) ?? new Map<string, string>();
    tx.state.endpoints.set(app, ofApp);
    if (!ofApp.has(endpoint)) begin(tx, app, endpoint);
    ofApp.set(endpoint, '');
  }
}

/** Listings count while their node has a lease here, under whatever incarnation. */
function listedByLive(tx: Transaction, node: string): Set<string> {
  const leases = [...tx.state.holders].filter(([, { leaseMs = 0 }]) => leaseMs > 0);
  const live = new Set([node, ...leases.map(([holder]) => holder.replace(/\..*$/, ''))]);
  for (const other of tx.state.listings.keys()) if (!live.has(other)) tx.state.listings.delete(other);
  return new Set([...tx.state.listings.values()].flatMap((listing) => [...listing]));
}

/** The lane of a new endpoint stands behind everything, and before it lies what is occupied now. */
function begin(tx: Transaction, app: string, endpoint: string): void {
  const head = tx.state.outbox.get(app)?.head ?? 0;
  const { events, bytes } = snapshotOf(tx, app);
  const lane: LaneState = {
    ...emptyLane(tx.nowMs),
    position: head,
    start: head,
    folded: events,
    foldedBytes: bytes,
  };
  tx.state.lanes.set(`l:${app}:${endpoint}`, lane);
}

export function emptyLane(token: number): LaneState {
  return {
    position: 0,
    start: 0,
    token,
    batches: [],
    folded: [],
    foldedBytes: 0,
    bodyBytes: 0,
    leftOut: 0,
    letterNumber: 0,
  };
}

/** What was told occupied, and its members, as events that have the ids and seqs they had. */
function snapshotOf(tx: Transaction, app: string): { readonly events: string[]; readonly bytes: number } {
  let bytes = 0;
  const events = inOrder(tx.state.appChannels.get(app)).flatMap((name) => {
    const channel = tx.channel(channelName(app, name));
    if (channel?.occupiedSeq === undefined) return [];
    const epoch = channel.numbering?.epoch ?? '';
    const told: { readonly kind: string; readonly seq: number; readonly userId?: string }[] = [
      { kind: 'channel_occupied', seq: channel.occupiedSeq },
      ...toldMembers(channel).map(([userId, { seq }]) => ({ kind: 'member_added', seq, userId })),
    ];
    return told.map((event) => {
      bytes += 256 + 2 * (Buffer.byteLength(name) + Buffer.byteLength(userOf(event)));
      const id = `${epoch}-${event.seq}`;
      return JSON.stringify({
        id,
        appId: app,
        channel: name,
        atMs: tx.nowMs,
        epoch,
        cause: 'snapshot',
        ...event,
      });
    });
  });
  return { events, bytes };
}

function userOf(event: { readonly userId?: string }): string {
  return event.userId ?? '';
}
