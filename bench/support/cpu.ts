import { readdirSync, readFileSync, statSync } from 'node:fs';

/** Processor time that all threads of a process have used, in milliseconds, from the scheduler's own count. */
export function cpuMsOf(pid: number): number {
  const folder = `/proc/${pid}/task`;
  const nanoseconds = readdirSync(folder).map((thread) =>
    Number(readFileSync(`${folder}/${thread}/schedstat`, 'utf8').split(' ')[0]),
  );
  return nanoseconds.reduce((sum, one) => sum + one, 0) / 1e6;
}

/**
 * What of it a process spent outside the kernel, in milliseconds. The kernel samples at its clock which of the two is
 * running, and tells it in hundredths of a second: right over seconds, not over less.
 */
export function userMsOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) * 10;
}

/** What a process holds in memory, in mebibytes. */
export function rssMibOf(pid: number): number {
  const [, kib = '0'] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}

/** Files and sockets a process has open. The kernel knows their number (since 6.2); an older one has them counted here. */
export function descriptorsOf(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return statSync(folder).size || readdirSync(folder).length;
}
