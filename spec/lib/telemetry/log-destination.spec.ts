import { execFileSync, spawnSync } from 'node:child_process';
import fs, {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { openLogFile } from '../../../lib/telemetry/log-destination.ts';

/** A pipe whose reader the spec holds: it reads, it stalls, or it goes away. */
function openPipe(path: string): { reader: number; writer: number } {
  execFileSync('/usr/bin/mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  return { reader, writer };
}

/** Reads what is there until nothing comes for the given number of looks. */
async function readAll(reader: number): Promise<string> {
  const chunk = Buffer.alloc(65_536);
  let text = '';
  for (let quiet = 0; quiet < 20; quiet += 1) {
    await new Promise((done) => setTimeout(done, 10));
    for (let n = tryRead(reader, chunk); n > 0; n = tryRead(reader, chunk)) {
      text += chunk.toString('utf8', 0, n);
      quiet = 0;
    }
  }
  return text;
}

function tryRead(reader: number, chunk: Buffer): number {
  try {
    return readSync(reader, chunk);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
    throw error;
  }
}

describe('the log destination', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'log-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test('close writes everything that waits', async () => {
    const path = join(folder, 'log');
    const destination = openLogFile({ fd: openSync(path, 'w') });
    const lines = Array.from({ length: 5000 }, (_, n) => `{"n":${n},"pad":"${'x'.repeat(50)}"}\n`);
    for (const line of lines) destination.write(line);
    await destination.close();
    expect(readFileSync(path, 'utf8')).toBe(lines.join(''));
    expect(destination.dropped).toBe(0);
  });

  test('a line is written though none follows it', async () => {
    const { reader, writer } = openPipe(join(folder, 'pipe'));
    const destination = openLogFile({ fd: writer });
    destination.write('one\n');
    expect(await readAll(reader)).toBe('one\n');
    await destination.close();
    closeSync(reader);
  });

  test('lines that come together are one write', async () => {
    const path = join(folder, 'log');
    const write = jest.spyOn(fs, 'write');
    const destination = openLogFile({ fd: openSync(path, 'w') });
    for (const line of ['one\n', 'two\n', 'three\n']) destination.write(line);
    await destination.close();
    expect(write).toHaveBeenCalledTimes(1);
    expect(readFileSync(path, 'utf8')).toBe('one\ntwo\nthree\n');
    write.mockRestore();
  });

  test('lines that come while others are being written are written though none follows them', async () => {
    const { reader, writer } = openPipe(join(folder, 'pipe'));
    const destination = openLogFile({ fd: writer });
    // More than the pipe holds: the write is under way until it is read.
    const long = `${'x'.repeat(99)}\n`.repeat(1_000);
    destination.write(long);
    destination.write('last\n');
    expect(await readAll(reader)).toBe(`${long}last\n`);
    await destination.close();
    closeSync(reader);
  });

  test('what waits is written when the process ends by an error', () => {
    const path = join(folder, 'log');
    const script = join(folder, 'script.ts');
    const module = resolve('lib/telemetry/log-destination.ts');
    writeFileSync(
      script,
      `import { openSync } from 'node:fs';
       import { openLogFile } from '${module}';
       const destination = openLogFile({ fd: openSync('${path}', 'w') });
       process.on('uncaughtExceptionMonitor', () => destination.write('last\\n'));
       setImmediate(() => {
         destination.write('one\\n');
         throw new Error('unforeseen');
       });`,
    );
    const { status } = spawnSync(process.execPath, [resolve('node_modules/.bin/jiti'), script]);
    expect(status).toBe(1);
    expect(readFileSync(path, 'utf8')).toBe('one\nlast\n');
  });

  test('a closed pipe ends the log, not the process', async () => {
    const { reader, writer } = openPipe(join(folder, 'pipe'));
    const destination = openLogFile({ fd: writer });
    closeSync(reader);
    destination.write('one\n');
    await new Promise((resolve) => setTimeout(resolve, 50));
    destination.write('two\n');
    await destination.close();
    expect(destination.dropped).toBe(1);
  });

  test('a reader that stalls costs bounded memory: further lines are dropped and counted', async () => {
    const { reader, writer } = openPipe(join(folder, 'pipe'));
    const destination = openLogFile({ fd: writer, maxBufferedBytes: 100_000, closeTimeoutMs: 50 });
    for (let n = 0; n < 10_000; n += 1) destination.write(`${'x'.repeat(99)}\n`);
    expect(destination.dropped).toBeGreaterThanOrEqual(8000);
    await destination.close();
    closeSync(reader);
  });

  test('tells the dropped lines once the reader has caught up', async () => {
    const { reader, writer } = openPipe(join(folder, 'pipe'));
    const onCaughtUp = jest.fn();
    const destination = openLogFile({ fd: writer, maxBufferedBytes: 200_000, onCaughtUp });
    for (let n = 0; n < 4000; n += 1) destination.write(`${'x'.repeat(99)}\n`);
    const text = await readAll(reader);
    expect(text.length / 100 + destination.dropped).toBe(4000);
    expect(onCaughtUp.mock.calls).toEqual([[destination.dropped]]);
    await destination.close();
    closeSync(reader);
  });

  test('close gives up on a reader that never reads', async () => {
    const { reader, writer } = openPipe(join(folder, 'pipe'));
    const destination = openLogFile({ fd: writer, closeTimeoutMs: 50 });
    for (let n = 0; n < 4000; n += 1) destination.write(`${'x'.repeat(99)}\n`);
    const started = performance.now();
    await destination.close();
    expect(performance.now() - started).toBeLessThan(1000);
    closeSync(reader);
  });

  test('giving up keeps the descriptor: a late write never lands in a file that took its number', async () => {
    const { reader, writer } = openPipe(join(folder, 'pipe'));
    const destination = openLogFile({ fd: writer, closeTimeoutMs: 10 });
    for (let n = 0; n < 4000; n += 1) destination.write(`${'x'.repeat(99)}\n`);
    await destination.close();
    const path = join(folder, 'stranger');
    const stranger = openSync(path, 'w');
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(stranger).not.toBe(writer);
    expect(readFileSync(path, 'utf8')).toBe('');
    closeSync(stranger);
    closeSync(reader);
  });

  test('after close lines are counted as dropped', async () => {
    const destination = openLogFile({ fd: openSync(join(folder, 'log'), 'w') });
    await destination.close();
    await destination.close();
    destination.write('late\n');
    expect(destination.dropped).toBe(1);
  });
});
