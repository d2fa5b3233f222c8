import { Writable } from 'node:stream';
import { expect, it } from '@jest/globals';
import { writeTogether } from '../../../lib/redis/write-together.ts';

/** A stream that tells in which portions it was given its chunks. */
function portions() {
  const seen: string[][] = [];
  const stream = new Writable({
    decodeStrings: false,
    write: (chunk: string, _encoding, done) => {
      seen.push([chunk]);
      done();
    },
    writev: (chunks, done) => {
      seen.push(chunks.map(({ chunk }) => String(chunk)));
      done();
    },
  });
  return { seen, stream };
}

it('what is written in one go and in promises that follow leaves together, in order', async () => {
  const { seen, stream } = portions();
  writeTogether(stream);
  stream.write('a');
  await Promise.resolve();
  writeTogether(stream);
  stream.write('b');
  expect(seen).toEqual([]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(seen).toEqual([['a', 'b']]);
});

it('what is written later leaves by itself', async () => {
  const { seen, stream } = portions();
  writeTogether(stream);
  stream.write('a');
  await new Promise((resolve) => setImmediate(resolve));
  stream.write('b');
  expect(seen).toEqual([['a'], ['b']]);
});

it('a stream that ends meanwhile gives away what was written', async () => {
  const { seen, stream } = portions();
  writeTogether(stream);
  stream.write('a');
  stream.end();
  await new Promise((resolve) => stream.once('finish', resolve));
  expect(seen).toEqual([['a']]);
});
