import { crc32 } from 'node:zlib';

/** The node behind a holder `<nodeId>.<incarnation>`. */
export function nodeOf(holder: string): string {
  return holder.slice(0, Math.max(0, holder.lastIndexOf('.')));
}

/**
 * Which of the nodes a partition belongs to: every node answers alike, and when one comes or goes only the partitions
 * that it gains or had move.
 */
export function ownerOf(partition: number, nodeIds: Iterable<string>): string | undefined {
  let owner: string | undefined;
  let best = -1;
  for (const nodeId of nodeIds) {
    const weight = crc32(`${partition} ${nodeId}`);
    if (weight < best || (weight === best && owner !== undefined && nodeId > owner)) continue;
    owner = nodeId;
    best = weight;
  }
  return owner;
}
