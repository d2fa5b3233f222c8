import type { Reply } from '../../../lib/redis/store-link.ts';
import type { OutboxEntry, OutboxState } from './partition-state.ts';

/** The number of the oldest entry that is kept; behind the last when none is. */
export function firstEntry(outbox: OutboxState | undefined): number {
  return outbox?.entries[0]?.number ?? (outbox?.head ?? 0) + 1;
}

export function entriesFrom(outbox: OutboxState | undefined, number: number, limit: number): OutboxEntry[] {
  return (outbox?.entries ?? []).filter((entry) => entry.number >= number).slice(0, limit);
}

/** As Redis answers entries. */
export function entryReply({ number, fields }: OutboxEntry): Reply {
  return [`${number}-0`, fields];
}

export function fieldOf({ fields }: OutboxEntry, name: string): string | undefined {
  const at = fields.findIndex((field, index) => index % 2 === 0 && field === name);
  return at === -1 ? undefined : fields[at + 1];
}

export function streamBytes(outbox: OutboxState | undefined): number {
  return (outbox?.bytes ?? 0) - (outbox?.trimmedBytes ?? 0);
}

/** Lets the entries up to and with this one go. */
export function cut(outbox: OutboxState | undefined, upTo: number): void {
  if (outbox === undefined) return;
  const length = outbox.entries.length;
  const gone = outbox.entries.filter(({ number }) => number <= upTo).length;
  if (gone === 0) return;
  const bytes = gone === length ? streamBytes(outbox) : Math.floor((streamBytes(outbox) * gone) / length);
  outbox.entries.splice(0, gone);
  outbox.trimmedBytes += bytes;
}
