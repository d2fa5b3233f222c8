import { readdirSync } from 'node:fs';
import type { Scenario } from '../scenario.ts';

/** In this order, then whatever else is in the folder. */
const order = [
  'fan-out',
  'client-events',
  'http-publish',
  'latency',
  'connections',
  'memory',
  'drop',
  'presence',
  'webhooks',
  'workers',
];

/** The scenarios of this folder, or those of these names. @throws Error when there is none of a name. */
export async function loadScenarios(names: readonly string[]): Promise<readonly Scenario[]> {
  const all = readdirSync('bench/scenarios')
    .filter((file) => file.endsWith('.ts') && file !== 'index.ts')
    .map((file) => file.replace(/\.ts$/, ''));
  const unknown = names.find((name) => !all.includes(name));
  if (unknown !== undefined) throw new Error(`there is no scenario ${unknown}; there are ${all.join(', ')}`);
  const place = (name: string): number => (order.includes(name) ? order.indexOf(name) : order.length);
  const chosen = (names.length > 0 ? [...names] : all).sort((one, other) => place(one) - place(other));
  return Promise.all(
    chosen.map(async (name) => {
      const module = (await import(`./${name}.ts`)) as { readonly scenario: Scenario };
      return module.scenario;
    }),
  );
}
