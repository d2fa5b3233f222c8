import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** A new folder that any user may read. */
export function newFolder(name: string): string {
  return mkdtempSync(join(tmpdir(), `spillway-${name}-`));
}

/** The files of this checkout that git knows or would take, copied into a new folder: what a fresh clone has. */
export function freshCheckout(name: string): string {
  const folder = newFolder(name);
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    encoding: 'utf8',
  });
  for (const file of listed.split('\0')) {
    if (file !== '') copyInto(folder, file);
  }
  return folder;
}

function copyInto(folder: string, file: string): void {
  const target = join(folder, file);
  mkdirSync(dirname(target), { recursive: true });
  cpSync(resolve(file), target, { force: true, recursive: true, dereference: false });
}
