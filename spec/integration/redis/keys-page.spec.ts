import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TestApi } from '../../support/api.ts';
import { closeClients, connect } from '../../support/client.ts';
import { type NodePair, startNodePair } from '../../support/node-pair.ts';
import { type RedisServer, startRedis } from '../../support/redis.ts';

interface Row {
  readonly key: string;
  readonly type: string;
  readonly fields: readonly string[];
}

/** The rows of the table of keys in docs/cluster.md. */
const rows = (
  readFileSync('docs/cluster.md', 'utf8')
    .split('\n\n')
    .find((block) => block.startsWith('| key |')) ?? ''
)
  .split('\n')
  .slice(2)
  .map((line): Row => {
    const [, key = '', type = '', text = ''] = line.split('|').map((cell) => cell.trim());
    const names = [...text.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '');
    return { key: key.replaceAll('`', ''), type, fields: names };
  });

/** The row of a key, by its name behind the partition: `:c:app-1:room` is of `:c:<app>:<channel>`. */
function rowOf(name: string): Row | undefined {
  return rows.find(({ key }) => {
    const pattern = key.replaceAll(/<\w+>/g, '[^:]+').replace(/\[\^:\]\+$/, '.+');
    return new RegExp(`^${pattern}$`).test(name);
  });
}

let redis: RedisServer;
let pair: NodePair;
const found = new Map<string, { readonly type: string; readonly fields: readonly string[] }>();

beforeAll(async () => {
  redis = await startRedis();
  // Nobody listens there: events stay in the outbox, and a batch is recorded.
  const webhooks = [{ id: 'orders', url: 'http://127.0.0.1:9/' }];
  const limits = { maxConnections: 100, watchlist: true, subscriptionCount: true };
  const config = { webhooks: { batchWindowMs: 5 } };
  pair = await startNodePair(redis, { app: { ...limits, webhooks }, config });
  const [ada, bob] = [await connect(pair), await connect(pair)];
  await ada.subscribed('room');
  await bob.subscribed('cache-prices');
  await bob.subscribed('presence-room', { user_id: 'bob' });
  bob.signin({ id: 'bob' });
  await bob.waitFor('pusher:signin_success');
  await ada.subscribed('presence-room', { user_id: 'ada' });
  await new TestApi(pair).post('/events', { name: 'price', channel: 'cache-prices', data: '1' });
  await pair.log.waitFor('webhook.failed');
  await ada.close();
  await bob.waitFor('pusher_internal:member_removed');
  const names = (await redis.cli('KEYS', '*')).split('\n');
  for (const name of names) {
    const type = await redis.cli('TYPE', name);
    const fields = type === 'hash' ? (await redis.cli('HKEYS', name)).split('\n') : [];
    found.set(name.replace(/^.*?\}/, ''), { type, fields });
  }
});
afterAll(async () => {
  closeClients();
  await pair.stop();
  await redis.stop();
});

describe('the keys of two nodes that are used', () => {
  it('are all in the table of docs/cluster.md, with their types', () => {
    const unlike = [...found].filter(([name, { type }]) => rowOf(name)?.type !== type);
    expect(unlike).toEqual([]);
  });

  it('are of nearly every kind in it', () => {
    const seen = new Set([...found.keys()].map((name) => rowOf(name)?.key));
    const unseen = rows.map(({ key }) => key).filter((key) => !seen.has(key));
    // Of a dead node, of a full quota, of what was acknowledged, folded, replayed, given up or let go.
    const rare = [':dx', ':qt:', ':sq:', ':fo:', ':rl:', ':rf:', ':dl:', ':dz:', ':ot'];
    expect(unseen.filter((key) => !rare.some((kind) => key.startsWith(kind)))).toEqual([]);
  });

  it.each([':st', ':c:', ':l:'])('have the fields that the table names: %s', (kind) => {
    const known = rows.find(({ key }) => key.startsWith(kind))?.fields ?? [];
    const fields = [...found].filter(([name]) => name.startsWith(kind)).flatMap((one) => one[1].fields);
    const own = fields.filter((field) => !/^[0-9a-f]{12}\./.test(field));
    const isKnown = (field: string): boolean => known.includes(field.replace(/^([bvsy]):.*$/, '$1:…'));
    expect([...new Set(own)].filter((field) => !isKnown(field))).toEqual([]);
  });
});
