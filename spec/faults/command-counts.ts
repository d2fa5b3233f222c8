import type { RedisServer } from '../support/redis.ts';

export interface CommandCounts {
  /** EVAL and EVALSHA. */
  readonly scripts: number;
  /** What clients sent: scripts, and every command that a node sends by itself. A few of them scripts use too: it is an upper bound. */
  readonly sent: number;
}

/** Commands of clients, with their subcommands; the others are only called inside scripts. */
const ofClients =
  /^(eval|evalsha|script|ping|publish|spublish|subscribe|ssubscribe|unsubscribe|sunsubscribe|del|info|config|client|hello|auth|select|cluster|command)(\||$)/;

/** `INFO commandstats` counts calls inside scripts too, under the names of the commands they call. */
export async function countCommands(redis: RedisServer): Promise<CommandCounts> {
  const counts = { scripts: 0, sent: 0 };
  for (const line of (await redis.cli('INFO', 'commandstats')).split('\n')) {
    const [, name = '', calls = '0'] = /^cmdstat_([^:]+):calls=(\d+)/.exec(line) ?? [];
    if (name === 'eval' || name === 'evalsha') counts.scripts += Number(calls);
    if (ofClients.test(name)) counts.sent += Number(calls);
  }
  return counts;
}
