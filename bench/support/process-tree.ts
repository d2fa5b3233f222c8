import { readdirSync, readFileSync } from 'node:fs';
import { cpuMsOf } from './cpu.ts';

/** The processes that this one has started and that run still. */
export function childrenOf(pid: number): readonly number[] {
  const folder = `/proc/${pid}/task`;
  const lists = readdirSync(folder).map((thread) => readFileSync(`${folder}/${thread}/children`, 'utf8'));
  return lists.flatMap((list) => list.split(' ').filter((child) => child !== '')).map(Number);
}

/** Processor time that each of these has used so far, in milliseconds. */
export function cpuMsOfEach(pids: readonly number[]): readonly number[] {
  return pids.map((pid) => cpuMsOf(pid));
}
