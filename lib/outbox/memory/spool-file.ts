import { access, type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Characters written at once. */
const chunkLength = 65_536;

/**
 * Writes the lines so that the file is there whole or not at all, for this user alone. One that is there already is of
 * another process and stays: the lines go beside it. Answers where they are.
 */
export async function writeSpool(file: string, lines: Iterable<string>): Promise<string> {
  const target = (await isThere(file)) ? `${file}.${process.pid}-${Date.now()}` : file;
  const unfinished = `${target}.unfinished`;
  await rm(unfinished, { force: true });
  const handle = await open(unfinished, 'wx', 0o600);
  try {
    await writeLines(handle, lines);
    await rename(unfinished, target);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
  await syncFolder(dirname(target));
  return target;
}

async function writeLines(handle: FileHandle, lines: Iterable<string>): Promise<void> {
  try {
    let chunk = '';
    for (const line of lines) {
      chunk += `${line}\n`;
      if (chunk.length < chunkLength) continue;
      await handle.writeFile(chunk);
      chunk = '';
    }
    await handle.writeFile(chunk);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * The lines; undefined when there is no file. It stays until `removeSpool`, so that lines nobody can use are not lost. Read
 * in pieces: a file may be longer than a string can be.
 */
export async function readSpool(file: string): Promise<readonly string[] | undefined> {
  try {
    const handle = await open(file, 'r');
    const lines: string[] = [];
    let rest = '';
    for await (const chunk of handle.createReadStream({ encoding: 'utf8' }) as AsyncIterable<string>) {
      const pieces = (rest + chunk).split('\n');
      rest = pieces.pop() ?? '';
      for (const line of pieces) if (line !== '') lines.push(line);
    }
    return rest === '' ? lines : [...lines, rest];
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Its lines live in this process now: read again they would be told under numbers given anew. */
export async function removeSpool(file: string): Promise<void> {
  await rm(file);
  await syncFolder(dirname(file));
}

/** A change of name is kept when its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function isThere(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT';
}
