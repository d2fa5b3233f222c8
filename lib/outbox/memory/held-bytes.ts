import type { OutboxEvent } from '../outbox-event.ts';

/** What one app's backlog holds: shared by everything that is part of it. */
export interface HeldBytes {
  bytes: number;
}

/** The object, its strings' headers, its id and its places in the log and in maps. */
const overheadBytes = 256;

/**
 * About what an event costs in memory: a constant, and two bytes for each character of the texts it came with (the most a
 * string takes). Many texts are shared or of one byte per character, so the estimate is high rather than low.
 */
export function bytesOf(event: OutboxEvent): number {
  let characters = event.channel.length;
  if ('userId' in event) characters += event.userId.length;
  if (event.kind === 'client_event') {
    characters += event.event.length + event.data.length + event.socketId.length;
  }
  return overheadBytes + 2 * characters;
}
