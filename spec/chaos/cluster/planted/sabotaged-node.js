// A node that breaks a promise, as a process: PLANTED=NAME node sabotaged-node.js start --config FILE. Everything else of it
// is the product as it was built.
import { dirname, join } from 'node:path';
import process from 'node:process';
import { main } from '../../../../dist/lib/cli/main.js';
import { RedisLink } from '../../../../dist/lib/redis/redis-link.js';
import { startServer } from '../../../../dist/lib/server.js';
import { createSharedStores } from '../../../../dist/lib/shared-stores.js';
import { createPost } from '../../../../dist/lib/webhooks/undici-post.js';
import { patchedScripts } from './patched-scripts.js';
import { sabotages } from './sabotages.js';

const args = process.argv.slice(2);
// The folder of the configuration goes when this process has ended.
const folder = join(dirname(args[args.indexOf('--config') + 1]), 'scripts');
const {
  patches = {},
  linkOf = (link) => link,
  postOf = (post) => post,
  onParts,
} = sabotages[process.env.PLANTED];

function createStores(config, deliverHere, tools) {
  const { redis: settings, cluster } = config;
  const { telemetry } = tools;
  const scripts = patchedScripts(folder, patches);
  const link = new (linkOf(RedisLink))({ settings, partitions: cluster.partitions, telemetry, scripts });
  return createSharedStores(link, config, deliverHere, tools);
}

async function startSabotaged(config, notes) {
  const { post } = createPost({ ...config.webhooks, userAgent: 'Spillway/planted' });
  const server = await startServer(config, { ...notes, createStores, post: postOf(post, config) });
  onParts?.(server.parts);
  return server;
}

const exitCode = await main(
  args,
  {
    version: 'planted',
    env: process.env,
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    signals: process,
  },
  startSabotaged,
);
process.exit(exitCode);
