const finalTextFrame = 0x81;
const sixteenBitLength = 126;
const sixtyFourBitLength = 127;

/** Encodes one unmasked, final text frame as a server sends it (protocol.md 1.5, RFC 6455 section 5.2). */
export function encodeTextFrame(payload: string): Buffer {
  const payloadBytes = Buffer.byteLength(payload);
  const headerBytes = headerBytesOf(payloadBytes);
  const frame = Buffer.allocUnsafe(headerBytes + payloadBytes);
  frame[0] = finalTextFrame;
  writeLength(frame, payloadBytes, headerBytes);
  frame.write(payload, headerBytes);
  return frame;
}

function headerBytesOf(payloadBytes: number): number {
  if (payloadBytes < sixteenBitLength) return 2;
  return payloadBytes <= 0xffff ? 4 : 10;
}

function writeLength(frame: Buffer, payloadBytes: number, headerBytes: number): void {
  if (headerBytes === 2) {
    frame[1] = payloadBytes;
  } else if (headerBytes === 4) {
    frame[1] = sixteenBitLength;
    frame.writeUInt16BE(payloadBytes, 2);
  } else {
    frame[1] = sixtyFourBitLength;
    frame.writeBigUInt64BE(BigInt(payloadBytes), 2);
  }
}
