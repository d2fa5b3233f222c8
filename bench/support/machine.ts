import { spawnSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { pinning } from './pin.ts';

/** The processors, the memory, the kernel, and who runs where. */
export function machine(): string {
  const gib = totalmem() / 2 ** 30;
  return `${cpus().length} x ${cpus()[0]?.model ?? '?'}, ${gib.toFixed(0)} GiB, Linux ${release()}, ${pinning}`;
}

/** The commit that is measured, and whether the product differs from it; `unknown` outside a checkout. */
export function commit(): string {
  const head = git('rev-parse', '--short', 'HEAD');
  if (head === undefined) return 'unknown';
  return git('status', '--porcelain', 'lib', 'pipelines', 'config') === '' ? head : `${head} with changes`;
}

function git(...args: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync('git', args, { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}
