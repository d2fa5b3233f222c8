import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where this package is installed, whether it runs from its sources or built. */
export const packageRoot = rootAbove(dirname(fileURLToPath(import.meta.url)));

export const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
  version: string;
};

/** This module's own extension: `.ts` from the sources, `.js` built. */
const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';

/** What `spillway` and `rxjs` mean in a stage that stands in a folder without node_modules. */
export const modulesForStages: Readonly<Record<string, string>> = {
  spillway: join(dirname(fileURLToPath(import.meta.url)), `index${extension}`),
  rxjs: join(packageRoot, 'node_modules', 'rxjs'),
};

/** What a worker process runs (`server.workers`). */
export const workerEntry = join(dirname(fileURLToPath(import.meta.url)), 'cli', `worker-process${extension}`);

function rootAbove(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error('package.json of spillway was not found');
  return rootAbove(parent);
}
