import type { Reply } from '../redis/store-link.ts';
import { numberOf, textOf } from './script-calls.ts';

/** What `renew` says of a partition. Times are the store's. */
export interface Renewal {
  readonly nowMs: number;
  readonly storeId: string;
  readonly generation: number;
  /** How many scripts have changed it. */
  readonly writes: number;
  /** 0: none is armed. */
  readonly nextDeadlineMs: number;
  /** The holder that owns the partition, or ''. */
  readonly owner: string;
  /** When the first lease of another holder runs out; 0: there is none. */
  readonly nextExpiryMs: number;
  readonly live: readonly string[];
  readonly fenced: readonly string[];
  /** Of each app with events: the number of the last one. Empty unless the asker owns the partition. */
  readonly heads: ReadonlyMap<string, number>;
}

/** Reads what follows `OK`. */
export function readRenewal(rest: readonly Reply[]): Renewal {
  const [nowMs, storeId, generation, writes, nextDeadlineMs, owner, nextExpiryMs, ...lists] = rest;
  const live = listAt(lists, 0, 1);
  const fenced = listAt(lists, live.next, 1);
  const heads = listAt(lists, fenced.next, 2);
  return {
    nowMs: numberOf(nowMs),
    storeId: textOf(storeId),
    generation: numberOf(generation),
    writes: numberOf(writes),
    nextDeadlineMs: numberOf(nextDeadlineMs),
    owner: textOf(owner),
    nextExpiryMs: numberOf(nextExpiryMs),
    live: live.items.map(textOf),
    fenced: fenced.items.map(textOf),
    heads: new Map(pairsOf(heads.items)),
  };
}

/** A list is its length and then its items, of `width` replies each. */
function listAt(replies: readonly Reply[], at: number, width: number) {
  const next = at + 1 + numberOf(replies[at]) * width;
  return { items: replies.slice(at + 1, next), next };
}

function pairsOf(items: readonly Reply[]): readonly (readonly [string, number])[] {
  return items.flatMap((item, i) => (i % 2 === 0 ? [[textOf(item), numberOf(items[i + 1])] as const] : []));
}
