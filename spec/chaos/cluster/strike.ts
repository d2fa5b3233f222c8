import { type Behaviour, ok } from '../../support/receiver.ts';
import type { RedisServer } from '../../support/redis.ts';
import type { AppName } from './apps.ts';
import type { Fault } from './faults.ts';
import { pause } from './pause.ts';
import type { RigCluster } from './rig-cluster.ts';
import type { RigNode } from './rig-node.ts';
import type { Swarm } from './swarm.ts';

/** Lets a fault happen; fulfilled when it is over, as far as it is ever over. */
export async function strike(fault: Fault, cluster: RigCluster, swarm: Swarm): Promise<void> {
  const nodeOf = (index: number): RigNode => cluster.nodes[index % cluster.nodes.length] as RigNode;
  switch (fault.kind) {
    case 'kill':
      return kill(nodeOf(fault.node), fault.backAfterMs);
    case 'kill-after-drop':
      swarm.dropMany(0.5);
      await pause(fault.afterMs);
      return kill(nodeOf(fault.node), fault.backAfterMs);
    case 'kill-at-take':
      return kill(await nextPoster(cluster), fault.backAfterMs);
    case 'pause': {
      const node = nodeOf(fault.node);
      node.pause();
      await pause(fault.forMs);
      node.resume();
      return;
    }
    case 'rolling-restart':
      for (const node of cluster.nodes) {
        await node.stop();
        await node.start();
      }
      return;
    case 'link': {
      const { link } = nodeOf(fault.node);
      link?.become(fault.state);
      await pause(fault.forMs);
      link?.become({ kind: 'open' });
      return;
    }
    case 'receiver':
      await cluster.judge(fault.app, fault.behaviour);
      await pause(fault.forMs);
      return cluster.judge(fault.app, ok);
    case 'refusals':
      return refuseNext(fault.count, fault.app, cluster);
    case 'redis-kill':
    case 'redis-pause':
    case 'wipe':
    case 'script-flush':
      await cluster.onRedis((redis) => strikeRedis(fault, redis));
  }
}

/** The node is dead when this is fulfilled: its own process died before the answer to its request was out. */
function nextPoster(cluster: RigCluster): Promise<RigNode> {
  return new Promise((resolve) => {
    cluster.atNextTake((poster) => {
      poster.kill();
      resolve(poster);
    });
  });
}

async function refuseNext(count: number, app: AppName, cluster: RigCluster): Promise<void> {
  let left = count;
  await new Promise<void>((resolve, reject) => {
    const refuse = (): Behaviour => {
      if (left === 0) return ok;
      left -= 1;
      if (left === 0) resolve();
      return { kind: 'status', status: 500 };
    };
    cluster.judge(app, refuse).catch(reject);
  });
}

async function kill(node: RigNode, backAfterMs: number | undefined): Promise<void> {
  node.kill();
  if (backAfterMs === undefined) return;
  await pause(backAfterMs);
  await node.start();
}

type RedisFault = Extract<Fault, { kind: 'redis-kill' | 'redis-pause' | 'wipe' | 'script-flush' }>;

async function strikeRedis(fault: RedisFault, redis: RedisServer): Promise<void> {
  switch (fault.kind) {
    case 'redis-kill':
      await redis.kill();
      await pause(fault.forMs);
      return redis.restart();
    case 'redis-pause':
      await redis.kill('SIGSTOP');
      await pause(fault.forMs);
      return redis.kill('SIGCONT');
    case 'wipe':
      await redis.cli('FLUSHALL');
      return;
    case 'script-flush':
      await redis.cli('SCRIPT', 'FLUSH');
  }
}
