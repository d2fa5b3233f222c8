import type { MembershipAnnouncement } from '../membership/membership-store.ts';
import { memberAdded, memberRemoved } from '../protocol/server-messages.ts';
import { encodeTextFrame } from '../protocol/websocket-frame.ts';

/** Frames behind one another, ready to be written, and how many they are. */
export interface Frames {
  readonly bytes: Buffer;
  readonly count: number;
}

/**
 * What announcements tell together, each user's changes netted: of an even number the last two are kept, of an odd number
 * the last, so that whoever knew the members before knows them after. Undefined when they tell of no member.
 */
export function netFrames(announcements: readonly MembershipAnnouncement[]): Frames | undefined {
  const byUser = new Map<string, readonly string[]>();
  for (const { channel, removed, added } of announcements) {
    for (const userId of removed) keep(byUser, userId, memberRemoved(channel, userId));
    for (const { userId, userInfoJson } of added)
      keep(byUser, userId, memberAdded(channel, userId, userInfoJson));
  }
  const frames = [...byUser.values()].flat().map(encodeTextFrame);
  return frames.length === 0 ? undefined : { bytes: Buffer.concat(frames), count: frames.length };
}

/** A third change leaves of the three only itself: one user's changes alternate. */
function keep(byUser: Map<string, readonly string[]>, userId: string, text: string): void {
  const [first, second] = byUser.get(userId) ?? [];
  byUser.set(userId, first === undefined || second !== undefined ? [text] : [first, text]);
}

/**
 * Announcements, in version order, in parts: whoever was shown the channel at one of the versions `cuts`, which rise, knows
 * all of a part or nothing of it.
 */
export function cutAt(
  announcements: readonly MembershipAnnouncement[],
  cuts: readonly number[],
): readonly (readonly MembershipAnnouncement[])[] {
  const parts: MembershipAnnouncement[][] = [];
  let next = 0;
  for (const announcement of announcements) {
    const part = parts.at(-1);
    const passed = next;
    while ((cuts[next] ?? Number.POSITIVE_INFINITY) < announcement.version) next++;
    if (part === undefined || next > passed) parts.push([announcement]);
    else part.push(announcement);
  }
  return parts;
}
