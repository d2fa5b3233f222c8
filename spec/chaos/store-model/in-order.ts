/** Sets of Redis have no order; here it is that of their texts. */
export function inOrder(set: Iterable<string> = []): string[] {
  return [...set].sort();
}
