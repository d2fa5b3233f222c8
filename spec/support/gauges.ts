import { get } from 'node:http';

/** The values of `/metrics` without labels, and the sums of those with labels, by name. */
export class Readings {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }

  value(name: string): number {
    const lines = this.text.split('\n').filter((line) => new RegExp(`^${name}(\\{[^}]*\\})? `).test(line));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  /** The values of one metric by one of its labels, without zeros. */
  byLabel(name: string, label: string): ReadonlyMap<string, number> {
    const values = new Map<string, number>();
    for (const line of this.text.split('\n')) {
      const match = new RegExp(`^${name}\\{[^}]*${label}="([^"]*)"[^}]*\\} (\\S+)$`).exec(line);
      const [, key = '', value = '0'] = match ?? [];
      if (Number(value) !== 0) values.set(key, (values.get(key) ?? 0) + Number(value));
    }
    return values;
  }
}

export function readMetrics(adminPort: number): Promise<Readings> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port: adminPort, path: '/metrics', agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => resolve(new Readings(Buffer.concat(chunks).toString())));
    }).on('error', reject);
  });
}

/** Everything a connection, a channel or a message occupies while it lives. */
export const registries = [
  'spillway_sockets',
  'spillway_connections',
  'spillway_channels',
  'spillway_subscriptions',
  'spillway_signed_in_users',
  'spillway_watchers',
  'spillway_fanout_pending',
  'spillway_waiting_frames',
  'spillway_waiting_events',
  'spillway_stage_depth',
] as const;

/** What is in the registries, those that are empty left out. */
export function occupied(readings: Readings): Readonly<Record<string, number>> {
  const values = registries.map((name) => [name, readings.value(name)] as const);
  return Object.fromEntries(values.filter(([, value]) => value !== 0));
}

/**
 * Reads the metrics until `isDone` says so, at most `tries` times, 50 ms apart; answers the last readings. For what the
 * server does not announce, such as that its batches are settled.
 */
export async function pollMetrics(
  adminPort: number,
  isDone: (readings: Readings) => boolean,
  tries = 100,
): Promise<Readings> {
  for (let left = tries; ; left--) {
    const readings = await readMetrics(adminPort);
    if (isDone(readings) || left <= 1) return readings;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
