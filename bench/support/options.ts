import { parseArgs } from 'node:util';
import { installSoketi } from './peer.ts';
import type { ServerName } from './servers.ts';

export interface BenchOptions {
  readonly quick: boolean;
  readonly rounds: number;
  readonly servers: readonly ServerName[];
}

/** `--quick` (small and 2 rounds), `--rounds N` (default 5), `--no-soketi`. */
export function readOptions(servers: readonly ServerName[]): BenchOptions {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      'no-soketi': { type: 'boolean', default: false },
    },
  });
  const rounds = Number(values.rounds ?? (values.quick ? 2 : 5));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds takes a whole number from 1 on');
  const wantsSoketi = servers.includes('soketi') && !values['no-soketi'] && installSoketi();
  return { quick: values.quick, rounds, servers: servers.filter((name) => name !== 'soketi' || wantsSoketi) };
}
