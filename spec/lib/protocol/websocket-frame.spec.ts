import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { encodeCloseFrame, encodeTextFrame } from '../../../lib/protocol/websocket-frame.ts';

interface Decoded {
  readonly firstByte: number;
  readonly isMasked: boolean;
  readonly lengthForm: number;
  readonly payloadBytes: number;
  readonly payload: string;
}

function decodeFrame(frame: Buffer): Decoded {
  const shortLength = frame.readUInt8(1) & 0x7f;
  const [headerBytes, payloadBytes] =
    shortLength === 126
      ? [4, frame.readUInt16BE(2)]
      : shortLength === 127
        ? [10, Number(frame.readBigUInt64BE(2))]
        : [2, shortLength];
  return {
    firstByte: frame.readUInt8(0),
    isMasked: frame.readUInt8(1) > 0x7f,
    lengthForm: headerBytes,
    payloadBytes,
    payload: frame.subarray(headerBytes).toString(),
  };
}

describe('encodeTextFrame', () => {
  it.each([
    [0, 2],
    [1, 2],
    [125, 2],
    [126, 4],
    [65_535, 4],
    [65_536, 10],
    [200_000, 10],
  ])('1.5 encodes %i bytes behind a header of %i', (payloadBytes, lengthForm) => {
    const payload = 'x'.repeat(payloadBytes);
    expect(decodeFrame(encodeTextFrame(payload))).toEqual({
      firstByte: 0x81,
      isMasked: false,
      lengthForm,
      payloadBytes,
      payload,
    });
  });

  it('1.5 counts bytes, not characters', () => {
    const { lengthForm, payloadBytes, payload } = decodeFrame(encodeTextFrame('☃'.repeat(42)));
    expect([lengthForm, payloadBytes, payload]).toEqual([4, 126, '☃'.repeat(42)]);
  });

  it('1.5 replaces half a surrogate pair, which UTF-8 cannot carry', () => {
    expect(decodeFrame(encodeTextFrame('a\ud800b'))).toMatchObject({ payloadBytes: 5, payload: 'a\ufffdb' });
  });

  it('1.5 gives every text back', () => {
    const anyText = fc.string({ unit: 'binary', maxLength: 300 });
    fc.assert(
      fc.property(anyText, fc.constantFrom(1, 3, 500), (text, times) => {
        const payload = text.repeat(times);
        const frame = encodeTextFrame(payload);
        const decoded = decodeFrame(frame);
        expect(decoded.payload).toBe(payload);
        expect(frame).toHaveLength(decoded.lengthForm + decoded.payloadBytes);
      }),
    );
  });
});

describe('encodeCloseFrame', () => {
  it('says nothing without a code', () => {
    expect(encodeCloseFrame()).toEqual(Buffer.from([0x88, 0]));
  });

  it.each([
    [1000, ''],
    [4009, 'you are not allowed'],
    [4200, 'é'.repeat(61)],
  ])('says the code %i and the reason "%s"', (code, reason) => {
    const frame = encodeCloseFrame(code, reason);
    const { firstByte, isMasked, payloadBytes } = decodeFrame(frame);
    expect([firstByte, isMasked, payloadBytes]).toEqual([0x88, false, 2 + Buffer.byteLength(reason)]);
    expect([frame.readUInt16BE(2), frame.subarray(4).toString()]).toEqual([code, reason]);
    expect(encodeCloseFrame(code, Buffer.from(reason))).toEqual(frame);
  });
});
