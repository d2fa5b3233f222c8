import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { filter, firstValueFrom, timeout } from 'rxjs';
import { keySlot } from '../../../lib/redis/key-slot.ts';
import { type RedisCluster, startRedisCluster } from '../../support/redis.ts';
import { type LinkRig, openRig } from './link-rig.ts';

const partitions = 16;
const topics = Array.from({ length: partitions }, (_, partition) => ({ partition, name: 'c:app:a' }));

let cluster: RedisCluster;
let rig: LinkRig;

beforeEach(async () => {
  cluster = await startRedisCluster();
  rig = await openRig({ url: cluster.url, cluster: true }, partitions);
  await rig.link.listen(topics);
});

afterEach(async () => {
  await rig.close();
  await cluster.stop();
});

/** What is said in every partition is heard, and scripts run there. */
async function expectAllHeard(text: string): Promise<void> {
  const heard = Promise.all(
    topics.map(({ partition }) =>
      firstValueFrom(
        rig.link.messages$.pipe(
          filter((message) => message.partition === partition && message.message === text),
          timeout({ first: 5000 }),
        ),
      ),
    ),
  );
  for (const topic of topics) expect(rig.link.publish(topic, text)).toBe(true);
  await Promise.all([heard, ...topics.map(({ partition }) => rig.link.run('apply', partition, []))]);
}

describe('on a Cluster', () => {
  it('scripts run and messages are heard in every partition, each on its own master', async () => {
    await expectAllHeard('hello');
    for (const master of cluster.masters) {
      expect(Number(await master.cli('DBSIZE'))).toBeGreaterThan(0);
      expect((await master.cli('PUBSUB', 'SHARDCHANNELS')).split('\n').length).toBeGreaterThan(3);
    }
    expect(rig.gaps()).toBe(0);
  });

  it('slots are those that Redis computes', async () => {
    const [master] = cluster.masters;
    for (const tag of ['0', '7', '15', '1023', 'ü']) {
      expect(await master?.cli('CLUSTER', 'KEYSLOT', `x{${tag}}y`)).toBe(String(keySlot(tag)));
    }
  });

  it('a connection for listening that is killed gives a gap, and all is heard again', async () => {
    const gap = rig.nextGap();
    const master = await cluster.masterOf('{3}');
    await master.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await gap;
    await rig.until(true);
    await expectAllHeard('again');
  });

  it('a master that dies takes the link down, and it is up when the master is back', async () => {
    const master = await cluster.masterOf('{3}');
    const down = rig.until(false, 1000);
    await master.kill();
    await down;
    const [up, gap] = [rig.until(true, 10_000), rig.nextGap()];
    await master.restart();
    await Promise.all([up, gap]);
    await expectAllHeard('back');
  });

  it('slots that move to another master are followed, with a gap', async () => {
    const slot = String(keySlot('3'));
    const from = await cluster.masterOf('{3}');
    const to = cluster.masters.find((master) => master !== from);
    const id = await to?.cli('CLUSTER', 'MYID');
    const gap = rig.nextGap();
    for (const master of cluster.masters) await master.cli('CLUSTER', 'SETSLOT', slot, 'NODE', id ?? '');
    await rig.link.run('apply', 3, []).catch(() => undefined);
    await gap;
    await rig.until(true);
    await expectAllHeard('moved');
    expect(await to?.cli('PUBSUB', 'SHARDNUMSUB', 'test:{3}:t:c:app:a')).toBe('test:{3}:t:c:app:a\n1');
  });
});
