import { parseArgs } from 'node:util';
import { installSoketi } from './peer.ts';
import type { ServerName } from './servers.ts';

export interface BenchOptions {
  readonly quick: boolean;
  readonly rounds: number;
  /** What the names of the cases begin with; absent: all cases. */
  readonly casePrefix?: string | undefined;
  /** Those that take part: all that were asked for, less soketi where it is not wanted or cannot be installed. */
  readonly servers: readonly ServerName[];
}

/** `--quick` (small and 2 rounds), `--rounds N` (default 5), `--no-soketi`. */
export function readOptions(servers: readonly ServerName[]): BenchOptions {
  const { values } = parseArgs({ options: commonFlags });
  return optionsFrom(values, servers);
}

export const commonFlags = {
  quick: { type: 'boolean', default: false },
  rounds: { type: 'string' },
  'no-soketi': { type: 'boolean', default: false },
} as const;

/** @throws Error when the rounds are no number. */
export function optionsFrom(
  values: { readonly quick: boolean; readonly rounds?: string | undefined; readonly 'no-soketi': boolean },
  servers: readonly ServerName[],
): BenchOptions {
  const rounds = Number(values.rounds ?? (values.quick ? 2 : 5));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds takes a whole number from 1 on');
  const wantsSoketi = servers.includes('soketi') && !values['no-soketi'] && installSoketi();
  return { quick: values.quick, rounds, servers: servers.filter((name) => name !== 'soketi' || wantsSoketi) };
}
