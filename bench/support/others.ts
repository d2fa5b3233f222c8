import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** How much of the machine processes other than ours took since `startWatch`: what makes times untrue. */
export interface OthersWatch {
  /** 0 to 1, of all processors. Our own are those that have ended by now, and this one. */
  share(): number;
}

/** The kernel counts in hundredths of a second. */
const tickMs = 10;

export function watchOthers(): OthersWatch {
  const [startedMs, busyMs, ownMs] = [performance.now(), machineBusyMs(), ownBusyMs()];
  return {
    share: () => {
      const others = machineBusyMs() - busyMs - (ownBusyMs() - ownMs);
      return Math.max(0, others / ((performance.now() - startedMs) * availableParallelism()));
    },
  };
}

/** Time that any processor spent on anything: all columns of the first line but idle, iowait, and guests (counted twice). */
function machineBusyMs(): number {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) * tickMs;
}

/** Of this process and of its children that have ended. */
function ownBusyMs(): number {
  const text = readFileSync('/proc/self/stat', 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * tickMs, 0);
}
