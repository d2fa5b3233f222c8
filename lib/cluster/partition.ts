import { crc32 } from 'node:zlib';

/** Where the state and the events of a channel, or of a user, are kept: the same on every node with as many partitions. */
export function partitionOf(appId: string, channel: string, partitions: number): number {
  return crc32(`${appId} ${channel}`) % partitions;
}
