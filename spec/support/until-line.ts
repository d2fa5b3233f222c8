import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

type Line = Readonly<Record<string, unknown>>;

export interface Started {
  /** The line that was waited for; undefined when the process ended first. */
  readonly line: Line | undefined;
  /** All it wrote to stderr so far. */
  readonly errors: () => string;
  readonly exited: Promise<number | null>;
}

/** Waits until a process logs a line with that `msg`, or ends. Lines that are no JSON are passed over. */
export async function untilLine(child: ChildProcess, msg: string): Promise<Started> {
  const errors: string[] = [];
  child.stderr?.on('data', (chunk: Buffer) => errors.push(chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const found = new Promise<Line>((resolve) => {
    if (child.stdout === null) return;
    createInterface({ input: child.stdout }).on('line', (text) => {
      const line = text.startsWith('{') ? (JSON.parse(text) as Line) : undefined;
      if (line?.['msg'] === msg) resolve(line);
    });
  });
  const line = await Promise.race([found, exited.then(() => undefined)]);
  return { line, errors: () => errors.join(''), exited };
}
