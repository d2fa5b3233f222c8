import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type SentinelGroup, startSentinel } from '../../support/redis.ts';
import { type LinkRig, openRig } from './link-rig.ts';

const topic = { partition: 1, name: 'c:app:a' };

let group: SentinelGroup;
let rig: LinkRig;

beforeEach(async () => {
  group = await startSentinel();
  const { name, nodes } = group;
  rig = await openRig({ sentinels: { name, nodes: [...nodes] } });
  await rig.link.listen([topic]);
});

afterEach(async () => {
  await rig.close();
  await group.stop();
});

async function worksOn(port: number): Promise<void> {
  await rig.link.run('apply', 1, []);
  const heard = rig.nextMessage('hello');
  rig.link.publish(topic, 'hello');
  await heard;
  const server = port === group.master.port ? group.master : group.replica;
  expect(await server.cli('EXISTS', 'test:{1}:n')).toBe('1');
  expect((await server.cli('CLIENT', 'LIST', 'TYPE', 'pubsub')).length).toBeGreaterThan(0);
}

describe('behind a sentinel', () => {
  it('the master is found and used', async () => {
    expect(rig.events.all('redis.connected')).toEqual([
      { address: `main of sentinels ${group.nodes[0]}`, version: expect.any(String), mode: 'sentinel' },
    ]);
    await worksOn(group.master.port);
  });

  it('a master that dies is followed by its replica, with a gap', async () => {
    const [down, gap] = [rig.until(false, 1000), rig.nextGap()];
    await group.master.kill();
    await down;
    await group.untilSwitched();
    const up = rig.until(true);
    await gap;
    await up;
    await worksOn(group.replica.port);
    expect(rig.gaps()).toBeGreaterThan(0);
  });

  it('a failover among the living is followed at once, by both connections', async () => {
    const gap = rig.nextGap();
    await group.failover();
    await gap;
    await rig.until(true);
    await worksOn(group.replica.port);
  });

  it('a master that hangs is left for its successor, and not taken again when it goes on', async () => {
    await group.master.kill('SIGSTOP');
    await expect(rig.link.run('apply', 1, [])).rejects.toThrow();
    await group.untilSwitched();
    await rig.until(true);
    await worksOn(group.replica.port);
    await group.master.kill('SIGCONT');
    await rig.link.run('apply', 1, []);
    await worksOn(group.replica.port);
  });
});
