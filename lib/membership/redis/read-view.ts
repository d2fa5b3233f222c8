import { partitionOf } from '../../cluster/partition.ts';
import type { StoreLink } from '../../redis/store-link.ts';
import type { Member } from '../membership-store.ts';
import { toMember } from './announcement-text.ts';
import type { ChannelContent } from './channel-view.ts';

/** The script takes about 1 ms for a thousand users and nobody else has a turn meanwhile: more are read on purpose only. */
const usualUsers = 20_000;
const anyUsers = 2 ** 31;

/**
 * Reads a channel as the store has it.
 *
 * @throws StoreAway. Another error: the script failed, or answered what cannot be understood.
 */
export async function readView(
  link: StoreLink,
  appId: string,
  channel: string,
  limit = usualUsers,
): Promise<ChannelContent> {
  const reply = await link.run('view', partitionOf(appId, channel, link.partitions), [appId, channel, limit]);
  const [word, version, subscriptions, , ...users] = Array.isArray(reply) ? (reply as unknown[]) : [];
  if (word === 'LARGE' && limit < anyUsers) return readView(link, appId, channel, anyUsers);
  const members = membersIn(users);
  if (word !== 'OK' || members === undefined) throw new Error(`the store answered ${String(word)} to "view"`);
  return { version: Number(version), subscriptions: Number(subscriptions), members };
}

function membersIn(users: readonly unknown[]): readonly Member[] | undefined {
  const members: Member[] = [];
  for (let i = 0; i < users.length; i += 2) {
    const member = toMember(users[i], users[i + 1]);
    if (member === undefined) return undefined;
    members.push(member);
  }
  return members;
}
