import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Compiles these C files when they have changed, and answers where the program is.
 *
 * @throws Error that says so where there is no compiler, or it refuses.
 */
export function nativeProgram(name: string, files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file));
  const folder = join(tmpdir(), 'spillway-bench-native');
  const program = join(folder, `${name}-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  // Under another name first: a second benchmark must not find half a program.
  const draft = `${program}.${process.pid}`;
  const sources = files.filter((file) => file.endsWith('.c'));
  const { status, stderr, error } = spawnSync('cc', ['-O2', '-std=gnu11', '-o', draft, ...sources], {
    encoding: 'utf8',
  });
  if (error !== undefined) throw new Error(`there is no C compiler for ${name}: ${error.message}`);
  if (status !== 0) throw new Error(`${name} cannot be compiled: ${stderr}`);
  renameSync(draft, program);
  return program;
}
