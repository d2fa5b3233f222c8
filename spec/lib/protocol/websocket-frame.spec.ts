import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  bareCloseBytes,
  emptyPingFrame,
  encodeCloseFrame,
  encodeTextFrame,
  noCloseCode,
  readBareClose,
} from '../../../lib/protocol/websocket-frame.ts';
import { encodeFrame, opcodes } from '../../support/raw-socket.ts';

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

describe('readBareClose', () => {
  const close = (payload: readonly number[], options = {}): Buffer =>
    encodeFrame(opcodes.close, Buffer.from(payload), options);
  const bytesOf = (code: number): readonly number[] => [code >> 8, code & 0xff];

  it('reads every code that browsers and applications give, and none', () => {
    const codes = [1000, 1001, 3000, 3999, 4000, 4999];
    expect(codes.map((code) => readBareClose(close(bytesOf(code))))).toEqual(codes);
    expect(readBareClose(close([]))).toBe(noCloseCode);
    expect(close(bytesOf(1000))).toHaveLength(bareCloseBytes);
  });

  it.each<[string, Buffer]>([
    ['codes that few send', close(bytesOf(1002))],
    ['codes that nobody may send', close(bytesOf(1006))],
    ['codes of nobody', close(bytesOf(999))],
    ['codes beyond the last', close(bytesOf(5000))],
    ['half a code', close([3])],
    ['a reason', close([...bytesOf(1000), 97])],
    ['no mask', close(bytesOf(1000), { masked: false })],
    ['reserved bits', close(bytesOf(1000), { rsv: 4 })],
    ['no end', close(bytesOf(1000), { fin: false })],
    ['a length that is not its own', close(bytesOf(1000), { claimedLength: 0 })],
    ['too little of it', close(bytesOf(1000)).subarray(0, 7)],
    ['more behind it', Buffer.concat([close([]), emptyPingFrame])],
    ['another frame', encodeFrame(opcodes.ping, Buffer.from(bytesOf(1000)))],
    ['nothing', Buffer.alloc(0)],
  ])('leaves frames with %s to others', (_name, bytes) => {
    expect(readBareClose(bytes)).toBeUndefined();
  });

  it('unmasks with any mask', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 4, maxLength: 4 }),
        fc.integer({ min: 3000, max: 4999 }),
        (mask, code) => {
          const payload = bytesOf(code).map((byte, index) => byte ^ (mask[index] ?? 0));
          expect(readBareClose(Uint8Array.from([0x88, 0x82, ...mask, ...payload]))).toBe(code);
        },
      ),
    );
  });
});

it('emptyPingFrame is a ping without data, not masked', () => {
  expect(emptyPingFrame).toEqual(encodeFrame(opcodes.ping, '', { masked: false }));
});
