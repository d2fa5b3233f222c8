import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { say } from './report.ts';

const folder = resolve('bench/peers/soketi');

/** Installs the peer when it is not there yet; answers whether it is there now. It is no part of the product. */
export function installSoketi(): boolean {
  if (existsSync(`${folder}/node_modules/@soketi/soketi`)) return true;
  say('installing soketi into bench/peers/soketi');
  const { status, stderr } = spawnSync(
    'npm',
    ['install', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund'],
    {
      cwd: folder,
      encoding: 'utf8',
    },
  );
  if (status !== 0)
    say(`soketi cannot be installed, its rows stay empty: ${stderr.trim().split('\n').at(-1) ?? ''}`);
  return status === 0;
}
