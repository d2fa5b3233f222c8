/**
 * Divides `room` among those who want this much of it: nobody gets more than wanted, what one leaves goes to the others,
 * and whoever wants more than an even share gets at least that (rounded down).
 */
export function fairShares(wanted: readonly number[], room: number): readonly number[] {
  const shares = wanted.map(() => 0);
  let left = room;
  let hungry = wanted.flatMap((want, i) => (want > 0 ? [{ i, want }] : [])).sort((a, b) => a.want - b.want);
  while (hungry.length > 0) {
    const [{ i, want }, ...others] = hungry as [{ i: number; want: number }];
    const share = Math.min(want, Math.floor(left / hungry.length));
    shares[i] = share;
    left -= share;
    hungry = others;
  }
  return shares;
}
