import type { Reply, StoreLink } from '../../redis/store-link.ts';
import { isLifecycle, type LifecycleEvent } from '../outbox-event.ts';
import type { Timeline, TimelineChannel, TimelinePage, TimelineSnapshot } from '../timeline.ts';
import { type Entry, toEntries } from './entries.ts';
import { listOf, numberOf, pairsOf, textOf } from './replies.ts';

/** A place in the timeline of an app: of these stores, and behind which entry, for each partition. */
interface Position {
  readonly generations: readonly string[];
  readonly heads: readonly number[];
}

/** Entries looked at for one page: most may be of other kinds. */
const maxScanned = 10_000;
const entriesAtOnce = 500;

/** What was told of the lifecycle, read from every partition, whoever owns it. */
export class RedisTimeline implements Timeline {
  readonly #link: StoreLink;

  constructor(link: StoreLink) {
    this.#link = link;
  }

  /** Each partition is of one moment; the stream goes on behind the moment of each. */
  async lifecycleSnapshot(appId: string): Promise<TimelineSnapshot> {
    const partitions = Array.from({ length: this.#link.partitions }, (_, partition) => partition);
    const parts = await Promise.all(partitions.map((partition) => this.#ask(partition, 'snapshot', appId)));
    return {
      channels: parts.flatMap(([, , , ...channels]) => channels.map((one) => toChannel(listOf(one)))),
      position: toText({
        generations: parts.map(([, generation]) => textOf(generation)),
        heads: parts.map(([, , head]) => numberOf(head)),
      }),
    };
  }

  async lifecycleAfter(appId: string, text: string, limit: number): Promise<TimelinePage | 'gone' | 'off'> {
    const position = parse(text, this.#link.partitions);
    if (position === undefined) return (await this.#isKept(appId)) ? 'gone' : 'off';
    const page: MutablePage = { events: [], limit, left: maxScanned };
    const heads: number[] = [];
    let hasMore = false;
    for (const [partition, generation] of position.generations.entries()) {
      const after = { generation, head: position.heads[partition] ?? 0 };
      const next = await this.#readPartition(page, { appId, partition }, after);
      if (typeof next === 'string') return next;
      heads.push(next.position);
      hasMore ||= next.position < next.head;
    }
    return { events: page.events, position: toText({ ...position, heads }), hasMore };
  }

  async #readPartition(
    page: MutablePage,
    { appId, partition }: { readonly appId: string; readonly partition: number },
    { generation, head }: { readonly generation: string; readonly head: number },
  ): Promise<{ readonly position: number; readonly head: number } | 'gone' | 'off'> {
    let position = head;
    for (;;) {
      const room = page.events.length < page.limit ? Math.min(entriesAtOnce, page.left) : 0;
      const reply = await this.#ask(partition, 'after', appId, generation, position, room);
      if (reply[0] === 'OFF') return 'off';
      if (reply[0] === 'GONE') return 'gone';
      const last = numberOf(reply[1]);
      const entries = toEntries(appId, reply[2]);
      position = takeInto(page, entries, position);
      if (entries.length === 0 || position >= last) return { position, head: last };
    }
  }

  /** Whether events of the app are kept, asked in one partition: endpoints are listed in all of them. */
  async #isKept(appId: string): Promise<boolean> {
    const [word] = await this.#ask(0, 'after', appId, '', 0, 0);
    return word !== 'OFF';
  }

  async #ask(partition: number, ...args: readonly (string | number)[]): Promise<readonly Reply[]> {
    return listOf(await this.#link.run('timeline', partition, args));
  }
}

interface MutablePage {
  readonly events: LifecycleEvent[];
  readonly limit: number;
  /** Entries that may still be looked at. */
  left: number;
}

/** Answers the number of the last entry that was looked at. */
function takeInto(page: MutablePage, entries: readonly Entry[], position: number): number {
  let last = position;
  for (const { number, event } of entries) {
    if (page.events.length >= page.limit || page.left === 0) break;
    if (isLifecycle(event)) page.events.push(event);
    page.left--;
    last = number;
  }
  return last;
}

function toChannel([channel, epoch, seq, members]: readonly Reply[]): TimelineChannel {
  const told = pairsOf(listOf(members)).map(([userId, own]) => ({
    userId: textOf(userId),
    seq: numberOf(own),
  }));
  return {
    channel: textOf(channel),
    epoch: textOf(epoch),
    seq: numberOf(seq),
    members: told.sort((a, b) => a.seq - b.seq),
  };
}

function toText({ generations, heads }: Position): string {
  return Buffer.from(JSON.stringify([...generations, ...heads])).toString('base64url');
}

/** Undefined: nobody gave this out, or with another number of partitions. */
function parse(text: string, partitions: number): Position | undefined {
  const parts = parseList(Buffer.from(text, 'base64url').toString());
  const generations = parts?.slice(0, partitions).filter((part) => typeof part === 'string');
  const heads = parts?.slice(partitions).filter((part) => Number.isSafeInteger(part));
  if (generations?.length !== partitions || heads?.length !== partitions) return undefined;
  return parts?.length === 2 * partitions ? { generations, heads: heads as readonly number[] } : undefined;
}

function parseList(json: string): readonly unknown[] | undefined {
  try {
    const parsed: unknown = JSON.parse(json);
    return Array.isArray(parsed) ? parsed : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
