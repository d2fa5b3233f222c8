import type { Clock } from '../../flow/clock.ts';
import { inSlices } from '../../flow/slices.ts';
import type { EventLog } from './event-log.ts';
import { isLifecycle, type LifecycleEvent } from '../outbox-event.ts';
import type { Timeline, TimelinePage } from '../timeline.ts';
import type { ToldCopy } from './told-copy.ts';

/** Entries looked at for one page: most may be of other kinds. */
const maxScanned = 10_000;

/** An opaque place in the logs of an app: of this store, and before which entry of each. */
export function toPosition(generation: string, indexes: readonly number[]): string {
  return Buffer.from(JSON.stringify([generation, ...indexes])).toString('base64url');
}

/** What was told at this moment, and where the stream goes on from it. */
export function snapshotOf(
  copy: ToldCopy,
  position: string,
  clock: Clock,
): ReturnType<Timeline['lifecycleSnapshot']> {
  const goOn = (): boolean => true;
  return inSlices(clock, copy.steps(), goOn, () => ({ channels: copy.channels, position }));
}

/** The lifecycle events behind a position; undefined when they are not kept, or the position is not of this store. */
export function pageAfter(
  logs: readonly EventLog[],
  generation: string,
  position: string,
  limit: number,
): TimelinePage | undefined {
  const indexes = parsePosition(generation, position);
  if (indexes?.length !== logs.length) return undefined;
  const events: LifecycleEvent[] = [];
  const next: number[] = [];
  let scanned = 0;
  for (const [partition, log] of logs.entries()) {
    let index = indexes[partition] ?? 0;
    if (index < log.first || index > log.end) return undefined;
    for (; index < log.end && events.length < limit && scanned < maxScanned; index++, scanned++) {
      const event = log.at(index);
      if (event !== undefined && isLifecycle(event)) events.push(event);
    }
    next.push(index);
  }
  const hasMore = logs.some(({ end }, partition) => (next[partition] ?? end) < end);
  return { events, position: toPosition(generation, next), hasMore };
}

function parsePosition(generation: string, position: string): readonly number[] | undefined {
  const parts = parseList(Buffer.from(position, 'base64url').toString());
  if (parts?.[0] !== generation) return undefined;
  const indexes = parts.slice(1).filter((part) => Number.isSafeInteger(part));
  return indexes.length === parts.length - 1 ? (indexes as readonly number[]) : undefined;
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
