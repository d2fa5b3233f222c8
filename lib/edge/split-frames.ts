/** Calls back with the payload of each unmasked frame in a buffer of whole frames, as `encodeTextFrame` makes them. */
export function forEachFrame(frames: Buffer, visit: (payload: Buffer) => void): void {
  let at = 0;
  while (at + 2 <= frames.length) {
    const short = frames.readUInt8(at + 1);
    let start = at + 2;
    let length = short;
    if (short === 126) {
      length = frames.readUInt16BE(start);
      start += 2;
    } else if (short === 127) {
      length = Number(frames.readBigUInt64BE(start));
      start += 8;
    }
    visit(frames.subarray(start, start + length));
    at = start + length;
  }
}
