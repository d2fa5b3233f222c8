const finalTextFrame = 0x81;
const finalCloseFrame = 0x88;
const finalPingFrame = 0x89;
const masked = 0x80;
/** What stands for a close frame without a code (RFC 6455 section 7.4.1). */
export const noCloseCode = 1005;
/** Header, mask and code. */
export const bareCloseBytes = 8;
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

/**
 * The code of a client's close frame that has no reason; `noCloseCode` when it has no code either. Undefined: the bytes are
 * something else, or more than that, or have a code that few send, and are for whoever reads every frame.
 */
export function readBareClose(bytes: Uint8Array): number | undefined {
  const [first, second, mask0 = 0, mask1 = 0, , , high = 0, low = 0] = bytes;
  if (first !== finalCloseFrame) return undefined;
  if (second === masked && bytes.length === bareCloseBytes - 2) return noCloseCode;
  if (second !== (masked | 2) || bytes.length !== bareCloseBytes) return undefined;
  const code = ((high ^ mask0) << 8) | (low ^ mask1);
  return isOrdinary(code) ? code : undefined;
}

/** What browsers and applications give (RFC 6455 section 7.4). */
function isOrdinary(code: number): boolean {
  return code === 1000 || code === 1001 || (code >= 3000 && code < 5000);
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
