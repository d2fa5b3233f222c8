import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readSpool, removeSpool, writeSpool } from '../../../../lib/outbox/memory/spool-file.ts';

describe('a spool file', () => {
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'spool-'));
    file = join(folder, 'spool.ndjson');
  });
  afterEach(() => rm(folder, { recursive: true }));

  test('gives back the lines that were written', async () => {
    const lines = Array.from({ length: 3_000 }, (_, index) =>
      JSON.stringify({ index, text: 'ü'.repeat(50) }),
    );
    await writeSpool(file, lines);
    expect(await readSpool(file)).toEqual(lines);
  });

  test('is for this user alone', async () => {
    await writeSpool(file, ['1']);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  test('is for this user alone even in place of one that was not', async () => {
    await writeFile(`${file}.unfinished`, 'older', { mode: 0o666 });
    await writeSpool(file, ['1']);
    expect([(await stat(file)).mode & 0o777, await readSpool(file)]).toEqual([0o600, ['1']]);
  });

  test('of another process stays, and the lines go beside it', async () => {
    await writeSpool(file, ['former']);
    const beside = await writeSpool(file, ['latter']);
    expect([await readSpool(file), await readSpool(beside)]).toEqual([['former'], ['latter']]);
    expect((await readdir(folder)).length).toBe(2);
  });

  test('may hold characters that end lines elsewhere, and pieces that cut one in two', async () => {
    const lines = [JSON.stringify('\u2028\u2029\u0085'), '€'.repeat(100_000), 'ü'];
    await writeSpool(file, lines);
    expect(await readSpool(file)).toEqual(lines);
  });

  test('is not there when writing it failed, nor a part of it, and the former one is', async () => {
    await writeSpool(file, ['former']);
    const failing = function* (): Iterable<string> {
      yield '1';
      throw new Error('no more');
    };
    await expect(writeSpool(file, failing())).rejects.toThrow('no more');
    expect([await readSpool(file), await readdir(folder)]).toEqual([['former'], ['spool.ndjson']]);
  });

  test('stays until it is removed', async () => {
    await writeSpool(file, ['1']);
    await readSpool(file);
    expect(await readFile(file, 'utf8')).toBe('1\n');
    await removeSpool(file);
    expect([await readSpool(file), await readdir(folder)]).toEqual([undefined, []]);
  });

  test('that cannot be read is an error', async () => {
    await expect(readSpool(folder)).rejects.toThrow('EISDIR');
  });
});
