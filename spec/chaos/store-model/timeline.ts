import type { Reply } from '../../../lib/redis/store-link.ts';
import type { Arguments } from './arguments.ts';
import { inOrder } from './in-order.ts';
import { entriesFrom, entryReply, firstEntry } from './stream.ts';
import { channelName, type Transaction } from './transaction.ts';

/** What was told of the lifecycle of an app: where it stands, or what follows a position. */
export function timeline(tx: Transaction, args: Arguments): Reply {
  const mode = args.text();
  const app = args.text();
  const { store } = tx.state;
  const generation = `${store?.epochName ?? ''}.${store?.generation ?? 0}`;
  return mode === 'snapshot' ? snapshot(tx, app, generation) : after(tx, app, generation, args);
}

function snapshot(tx: Transaction, app: string, generation: string): Reply {
  const occupied = inOrder(tx.state.appChannels.get(app)).flatMap((name): Reply[] => {
    const channel = tx.channel(channelName(app, name));
    if (channel?.occupiedSeq === undefined || channel.numbering === undefined) return [];
    const members = [...channel.users].flatMap(([user, { seq }]) => [user, seq]);
    return [[name, channel.numbering.epoch, String(channel.numbering.seq), members]];
  });
  return ['OK', generation, tx.state.outbox.get(app)?.head ?? 0, ...occupied];
}

function after(tx: Transaction, app: string, generation: string, args: Arguments): Reply {
  const known = args.text();
  const position = args.whole();
  const limit = args.whole();
  if (!tx.state.endpointApps.has(app)) return ['OFF'];
  const outbox = tx.state.outbox.get(app);
  const head = outbox?.head ?? 0;
  if (known !== generation || position + 1 < firstEntry(outbox) || position > head) return ['GONE'];
  return ['OK', head, entriesFrom(outbox, position + 1, limit).map(entryReply)];
}
