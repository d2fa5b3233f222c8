import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { forEachFrame } from '../../../lib/edge/split-frames.ts';
import { encodeTextFrame } from '../../../lib/protocol/websocket-frame.ts';

function textsOf(frames: Buffer): readonly string[] {
  const texts: string[] = [];
  forEachFrame(frames, (payload) => texts.push(payload.toString('utf8')));
  return texts;
}

describe('a buffer of frames', () => {
  test('without any has none', () => {
    expect(textsOf(Buffer.alloc(0))).toEqual([]);
  });

  test.each([0, 1, 125, 126, 127, 65_535, 65_536])('is split around a payload of %d bytes', (bytes) => {
    const texts = ['before', 'x'.repeat(bytes), 'after'];
    expect(textsOf(Buffer.concat(texts.map(encodeTextFrame)))).toEqual(texts);
  });

  test('whatever the texts are is split into just these', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 300 })), (texts) => {
        expect(textsOf(Buffer.concat(texts.map(encodeTextFrame)))).toEqual(texts);
      }),
    );
  });
});
