const finalTextFrame = 0x81;
const finalCloseFrame = 0x88;
const finalPingFrame = 0x89;
const sixteenBitLength = 126;
const sixtyFourBitLength = 127;

/** An unmasked ping without data (RFC 6455 section 5.5.2). */
export const emptyPingFrame = Buffer.from([finalPingFrame, 0]);

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

/** Encodes an unmasked close frame (RFC 6455 section 5.5.1). `reason`: at most 123 bytes. Without a code nothing is said. */
export function encodeCloseFrame(code?: number, reason: string | Buffer = ''): Buffer {
  if (code === undefined) return Buffer.from([finalCloseFrame, 0]);
  const reasonBytes = Buffer.byteLength(reason);
  const frame = Buffer.allocUnsafe(4 + reasonBytes);
  frame[0] = finalCloseFrame;
  frame[1] = 2 + reasonBytes;
  frame.writeUInt16BE(code, 2);
  if (typeof reason === 'string') frame.write(reason, 4);
  else reason.copy(frame, 4);
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
