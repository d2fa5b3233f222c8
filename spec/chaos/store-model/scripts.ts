import type { ScriptName } from '../../../lib/redis/script-names.ts';
import type { Reply } from '../../../lib/redis/store-link.ts';
import { apply } from './apply.ts';
import { Arguments } from './arguments.ts';
import { recall, remember } from './cached-events.ts';
import { endpoints } from './endpoints.ts';
import { fire } from './fire.ts';
import { lane } from './lane.ts';
import { renew, retire } from './leases.ts';
import { outbox } from './outbox.ts';
import { channel, channels, states, users, view } from './questions.ts';
import { quota } from './quota.ts';
import { reap } from './reap.ts';
import { timeline } from './timeline.ts';
import type { Transaction } from './transaction.ts';

type Script = (tx: Transaction, args: Arguments) => Reply;

const scripts: Record<ScriptName, Script> = {
  apply,
  renew,
  reap,
  fire,
  retire,
  view,
  channels,
  channel,
  users,
  states,
  remember,
  recall,
  quota,
  endpoints,
  lane,
  outbox,
  timeline,
};

export function runScript(
  name: ScriptName,
  tx: Transaction,
  args: readonly (string | number | Buffer)[],
): Reply {
  return scripts[name](tx, new Arguments(args));
}
