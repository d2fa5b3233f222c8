import { crc32 } from 'node:zlib';

/** Where the events of a channel are kept and told in order: the same on every node with as many partitions. */
export function partitionOf(appId: string, channel: string, partitions: number): number {
  return crc32(`${appId} ${channel}`) % partitions;
}
