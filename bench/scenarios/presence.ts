import type { Figures, Scenario, ServerName } from '../scenario.ts';
import { crowded, observerCount } from '../support/crowded.ts';

/** One presence channel that fills and empties. `npm run bench:presence` shows how the cost grows with its members. */
export const scenario: Scenario = {
  name: 'presence',
  question: `all members of one presence channel join, and leave at once; ${observerCount} observers and a webhook receiver are told`,
  servers: ['spillway', 'naive', 'soketi'],
  cases: ({ quick }) => [`${quick ? 250 : 2_000} members`],
  run: (server, name, { quick }) => fillAndEmpty(server, Number.parseInt(name, 10), quick),
  columns: [
    { figure: 'leaveCpuMs', title: 'leave CPU ms', over: ['soketi', 'naive'] },
    { figure: 'leaveMs', title: 'leave ms' },
    { figure: 'joinCpuMs', title: 'join CPU ms', over: ['soketi', 'naive'] },
    { figure: 'joinMs', title: 'join ms' },
    { figure: 'removed', title: 'removals told' },
    { figure: 'removedWebhooks', title: 'removal webhooks' },
    { figure: 'repeats', title: 'told again' },
    { figure: 'rssMib', title: 'RSS MiB when full' },
    { figure: 'crowdCpuShare', title: 'share of its processor the load used' },
  ],
  targets: [
    {
      name: 'leaving: CPU x soketi',
      figure: 'leaveCpuMs',
      of: 'spillway',
      over: 'soketi',
      most: 0.1,
      stretch: 0.05,
    },
    { name: 'joining: CPU x soketi', figure: 'joinCpuMs', of: 'spillway', over: 'soketi', most: 0.25 },
  ],
};

async function fillAndEmpty(server: ServerName, size: number, quick: boolean): Promise<Figures> {
  const { leaveCpuMs, leaveMs, joinCpuMs, joinMs, removed, removedWebhooks, repeats, rssMib, crowdCpuShare } =
    await crowded(server, size, quick ? 2_000 : undefined);
  return { leaveCpuMs, leaveMs, joinCpuMs, joinMs, removed, removedWebhooks, repeats, rssMib, crowdCpuShare };
}
