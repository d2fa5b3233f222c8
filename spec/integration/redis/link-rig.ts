import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { filter, firstValueFrom, type Observable, timeout } from 'rxjs';
import type { Config } from '../../../config/schema.ts';
import { RedisLink } from '../../../lib/redis/redis-link.ts';
import type { TopicMessage } from '../../../lib/redis/store-link.ts';
import { Telemetry } from '../../../lib/telemetry/telemetry.ts';
import { EventLog } from '../../support/event-log.ts';

/** Two small scripts stand in for those of the package: the link does not care what they do. */
const scripts = {
  prelude: "local PUBLISH = 'PUBLISH'\nlocal K = KEYS[1]\n",
  // Counts, says the count on topic `count`, and answers the count, the shift and its arguments.
  apply: `
    local n = redis.call('INCR', K .. ':n')
    redis.call(PUBLISH, K .. ':t:count', tostring(n))
    return {n, ARGV[1], ARGV[2] or false, {'x', 1}}
  `,
  view: "return redis.call('HGET', K .. ':n', 'a')",
};

export interface LinkRig {
  readonly link: RedisLink;
  readonly events: EventLog;
  readonly messages: TopicMessage[];
  readonly gaps: () => number;
  /** Fulfilled when `isUp` is this. Rejects after so long. */
  until(isUp: boolean, withinMs?: number): Promise<void>;
  nextGap(): Promise<void>;
  nextMessage(message: string): Promise<TopicMessage>;
  close(): Promise<void>;
}

type Settings = Partial<NonNullable<Config['redis']>>;

export function settingsOf(settings: Settings): NonNullable<Config['redis']> {
  return { cluster: false, keyPrefix: 'test:', ...settings };
}

export function makeRig(settings: Settings, partitions = 4, shiftMs = (): number => 0): LinkRig {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-scripts-'));
  for (const [name, text] of Object.entries(scripts)) writeFileSync(join(folder, `${name}.lua`), text);
  const telemetry = new Telemetry();
  const events = new EventLog();
  telemetry.events$.subscribe((event) => events.add(event));
  const link = new RedisLink({
    settings: settingsOf(settings),
    partitions,
    telemetry,
    scripts: folder,
    shiftMs,
  });
  const messages: TopicMessage[] = [];
  let gaps = 0;
  link.messages$.subscribe((message) => messages.push(message));
  link.gaps$.subscribe(() => gaps++);
  const first = <T>(stream$: Observable<T>, ms: number): Promise<T> =>
    firstValueFrom(stream$.pipe(timeout({ first: ms })));
  return {
    link,
    events,
    messages,
    gaps: () => gaps,
    until: async (isUp, withinMs = 5000) => {
      await first(link.up$.pipe(filter((value) => value === isUp)), withinMs);
    },
    nextGap: () => first(link.gaps$, 5000),
    nextMessage: (text) => first(link.messages$.pipe(filter(({ message }) => message === text)), 5000),
    close: async () => {
      await link.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export async function openRig(...args: Parameters<typeof makeRig>): Promise<LinkRig> {
  const rig = makeRig(...args);
  await rig.link.open();
  return rig;
}
