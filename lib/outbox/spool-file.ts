import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Characters written at once. */
const chunkLength = 65_536;

/** Writes the lines so that the file is there whole or not at all, for this user alone. */
export async function writeSpool(file: string, lines: Iterable<string>): Promise<void> {
  const unfinished = `${file}.unfinished`;
  await rm(unfinished, { force: true });
  const handle = await open(unfinished, 'wx', 0o600);
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
  await rename(unfinished, file);
  await syncFolder(dirname(file));
}

/** The lines; undefined when there is no file. It stays until `removeSpool`, so that lines nobody can use are not lost. */
export async function readSpool(file: string): Promise<readonly string[] | undefined> {
  try {
    const text = await readFile(file, 'utf8');
    return text.split('\n').filter((line) => line !== '');
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

function isMissing(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT';
}
