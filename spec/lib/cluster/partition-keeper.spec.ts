import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { elapse, useVirtualTime } from '../../support/virtual-time.ts';
import { nodeOn, storeFor } from './fake-node.ts';

beforeEach(() => useVirtualTime());
afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

async function openNode(options: Parameters<typeof nodeOn>[0] = {}) {
  const opened = nodeOn(options);
  await opened.node.open();
  return opened;
}

/** Two nodes on one partition, of which the first is the one it belongs to. */
async function openTwo() {
  const shared = storeFor(1);
  const owner = await openNode({ shared, nodeId: 'cccccccccccc' });
  const other = await openNode({ shared, nodeId: 'dddddddddddd' });
  await elapse(4000);
  const [first, second] = owner.node.owns(0) ? [owner, other] : [other, owner];
  return { shared, owner: first, other: second, state: shared.store.of(0) };
}

describe('a lease', () => {
  test('lasts from when its renewal was sent, not from when it was answered', async () => {
    const { node, link, owned } = await openNode();
    link.holds = () => true;
    await elapse(5000);
    link.release(1);
    await elapse(0);
    // Sent at 2000, answered at 5000; the one that follows is held.
    expect([node.owns(0, 4999), node.owns(0, 5000)]).toEqual([true, false]);
    await elapse(4999);
    expect(node.owns(0)).toBe(true);
    await elapse(1);
    expect(node.owns(0)).toBe(false);
    expect(owned.at(-1)).toEqual({ partition: 0, isOwned: false });
    link.holds = () => false;
    link.release();
    await elapse(0);
    await node.close();
  });

  test('that ran out while the process stood still is none from its first instruction', async () => {
    const { node, owned } = await openNode();
    const nowMs = performance.now();
    jest.spyOn(performance, 'now').mockReturnValue(nowMs + 8000);
    expect(node.owns(0)).toBe(false);
    expect(owned).toHaveLength(1);
    jest.restoreAllMocks();
    await node.close();
  });

  test('that ran out is said once, and so is that it is back', async () => {
    const { node, link, owned, log } = await openNode();
    link.up$.next(false);
    await elapse(30_000);
    link.up$.next(true);
    await elapse(0);
    expect(owned.map(({ isOwned }) => isOwned)).toEqual([true, false, true]);
    expect(log.events.map(({ name }) => name).filter((name) => /owned|given/.test(name))).toEqual([
      'cluster.owned',
      'cluster.given',
      'cluster.owned',
    ]);
    expect(node.holderOf(0)).toBe('n1.1');
    await node.close();
  });

  test('is renewed one call at a time', async () => {
    const { node, link } = await openNode();
    link.calls.length = 0;
    link.holds = () => true;
    await elapse(6000);
    expect(link.callsOf('renew')).toHaveLength(1);
    link.holds = () => false;
    link.release();
    await elapse(2000);
    expect(link.callsOf('renew')).toHaveLength(2);
    await node.close();
  });

  test('carries the last batch that was answered, the generation and the writes that are known', async () => {
    const { node, link, store, say } = await openNode();
    say('a');
    await elapse(0);
    store.of(0).gen = 3;
    await elapse(4000);
    expect(
      link.callsOf('renew').map(({ args: [...args] }) => [...args.slice(0, 5), args[6], args[9]]),
    ).toEqual([
      ['n1.1', '', 0, 8000, 1, 0, 0],
      ['n1.1', 's1n1', 1, 8000, 1, 0, 1],
      ['n1.1', 's1n1', 1, 8000, 1, 3, 1],
    ]);
    await node.close();
  });

  test('is refused by a store that is divided otherwise from now on, and that is told', async () => {
    const { node, link, log } = await openNode();
    link.answerOf = ({ script }) => (script === 'renew' ? ['PARTITIONS', '4'] : undefined);
    await elapse(2000);
    expect(log.all('cluster.refused')).toMatchObject([{ partition: 0, code: 'cluster.partitions' }]);
    link.answerOf = () => undefined;
    await node.close();
  });
});

describe('the writes of a store', () => {
  const carried = ({ link }: Awaited<ReturnType<typeof openNode>>) =>
    link.callsOf('renew').map(({ args }) => args[9]);

  test('begin a generation when there are fewer than there were, and go on from what is known', async () => {
    const opened = await openNode();
    const state = opened.store.of(0);
    state.writes = 5;
    await elapse(2000);
    state.writes = 3;
    await elapse(6000);
    expect(state.writes).toBe(5);
    expect([state.gen, carried(opened)]).toEqual([1, [0, 0, 5, 5, 5]]);
    await opened.node.close();
  });

  test('are heard of when deadlines are fired and when the dead are reaped', async () => {
    const opened = await openNode();
    const { store } = opened;
    store.of(0).deadlines = [Date.now() + 2500];
    await elapse(4000);
    store.of(0).entries.set('dead.1', 300);
    store.fence(0, 'dead.1');
    await elapse(4000);
    expect([store.of(0).writes, carried(opened)]).toEqual([3, [0, 0, 1, 1, 3]]);
    await opened.node.close();
  });

  test('are none of those of the store before a wipe', async () => {
    const opened = await openNode();
    const { store, say } = opened;
    say('a');
    await elapse(1);
    store.wipe();
    await elapse(4000);
    expect([store.of(0).gen, carried(opened)]).toEqual([1, [0, 1, 0, 0]]);
    await opened.node.close();
  });

  test('are missed by nobody while a batch is under way', async () => {
    const { node, link, store, say } = await openNode();
    link.holds = ({ script }) => script === 'apply';
    say('a');
    await elapse(4000);
    link.holds = () => false;
    link.release();
    await elapse(4000);
    expect([store.of(0).writes, store.of(0).gen]).toEqual([1, 0]);
    await node.close();
  });

  test('are known under the next name, too', async () => {
    const { node, store, say } = await openNode();
    say('a');
    await elapse(1);
    store.fence(0, 'n1.1');
    store.of(0).writes = 0;
    await elapse(2001);
    expect([node.holderOf(0), store.of(0).gen]).toEqual(['n1.2', 1]);
    await node.close();
  });
});

describe('a partition', () => {
  test('goes to the node it belongs to only when nothing of it is under way', async () => {
    const may = { give: false };
    const shared = storeFor(1);
    const ids = ['cccccccccccc', 'dddddddddddd'];
    const probe = await openTwo();
    const rightful = probe.owner.node.nodeId;
    await Promise.all([probe.owner.node.close(), probe.other.node.close()]);
    const first = await openNode({
      shared,
      nodeId: ids.find((id) => id !== rightful)!,
      mayGive: () => may.give,
    });
    const second = await openNode({ shared, nodeId: rightful });
    await elapse(10_000);
    expect([first.node.owns(0), second.node.owns(0)]).toEqual([true, false]);
    may.give = true;
    await elapse(2000);
    expect([first.node.owns(0), second.node.owns(0)]).toEqual([false, true]);
    expect(first.owned.map(({ isOwned }) => isOwned)).toEqual([true, false]);
    await Promise.all([first.node.close(), second.node.close()]);
  });

  test('is owned no longer before the store is told that it is given', async () => {
    const shared = storeFor(1);
    const probe = await openTwo();
    const { nodeId: rightful } = probe.owner.node;
    const { nodeId: wrong } = probe.other.node;
    await Promise.all([probe.owner.node.close(), probe.other.node.close()]);
    const first = await openNode({ shared, nodeId: wrong });
    const second = await openNode({ shared, nodeId: rightful });
    const owns: boolean[] = [];
    first.link.faultOf = ({ script, args }) => {
      if (script === 'renew' && args[8] === 1) owns.push(first.node.owns(0));
      return undefined;
    };
    await elapse(2000);
    expect(owns).toEqual([false]);
    await Promise.all([first.node.close(), second.node.close()]);
  });

  test('has its generation told with each renewal to everybody, its heads to its owner alone', async () => {
    const { owner, other } = await openTwo();
    const before = [owner.heads.length, other.heads.length];
    owner.store.of(0).gen = 3;
    await elapse(6000);
    expect([owner.heads.length, other.heads.length]).toEqual(before.map((length) => length + 3));
    const told = { partition: 0, generation: 3 };
    expect(owner.heads.at(-1)).toEqual({ ...told, heads: new Map([['app', 7]]) });
    expect(other.heads.at(-1)).toEqual({ ...told, heads: new Map() });
    await Promise.all([owner.node.close(), other.node.close()]);
  });

  test('that nobody owns is asked for by everybody who hears of it', async () => {
    const { shared, owner, other, state } = await openTwo();
    state.owner = '';
    for (const { link } of [owner, other]) link.calls.length = 0;
    shared.store.onPublish(0, 'sys', 'o');
    await elapse(0);
    // The owner takes it for an old message: its own renewal says what is true.
    expect([owner, other].map(({ link }) => link.callsOf('renew').length)).toEqual([0, 1]);
    await elapse(2000);
    expect(state.owner).toBe(owner.node.holderOf(0));
    await Promise.all([owner.node.close(), other.node.close()]);
  });

  test('is not renewed for what others say', async () => {
    const { node, link } = await openNode();
    link.calls.length = 0;
    link.messages$.next({ partition: 0, name: 'sys', message: 'u{}' });
    link.messages$.next({ partition: 0, name: 'wake', message: 'o' });
    await elapse(0);
    expect(link.calls).toEqual([]);
    await node.close();
  });
});

describe('the dead', () => {
  test('are found when their lease runs out, not with the next renewal', async () => {
    const { owner, other } = await openTwo();
    await elapse(1000);
    other.link.up$.next(false);
    await elapse(6999);
    expect(owner.node.liveNodes(0)).toBe(2);
    await elapse(30);
    expect(owner.node.liveNodes(0)).toBe(1);
    await Promise.all([owner.node.close(), other.node.close()]);
  });

  test('are reaped 256 entries at a time, until nothing is left', async () => {
    const { node, link, store, log } = await openNode();
    store.of(0).entries.set('dead.1', 600);
    store.fence(0, 'dead.1');
    link.calls.length = 0;
    await elapse(2000);
    expect(link.callsOf('reap').map(({ args }) => [args[1], args[3], args[6]])).toEqual(
      new Array(3).fill(['dead.1', 256, 0]),
    );
    expect(log.all('cluster.reaped')).toEqual([{ partition: 0, holder: 'dead.1', entries: 600 }]);
    expect(node.metrics.reapedHolders).toBe(1);
    await elapse(2000);
    expect(link.callsOf('reap')).toHaveLength(3);
    await node.close();
  });

  test('are reaped on with the next renewal when an answer was lost', async () => {
    const { node, link, store } = await openNode();
    store.of(0).entries.set('dead.1', 300);
    store.fence(0, 'dead.1');
    let reaps = 0;
    link.faultOf = ({ script }) => (script === 'reap' && ++reaps === 2 ? 'request-lost' : undefined);
    await elapse(2000);
    expect(store.of(0).entries.get('dead.1')).toBe(44);
    await elapse(2000);
    expect(store.of(0).entries.size).toBe(0);
    await node.close();
  });

  test('that another has reaped meanwhile are done with', async () => {
    const { node, link, log, store } = await openNode();
    store.fence(0, 'dead.1');
    link.answerOf = ({ script }) => (script === 'reap' ? ['GONE'] : undefined);
    await elapse(2000);
    expect([link.callsOf('reap').length, log.all('cluster.reaped')]).toEqual([1, []]);
    link.answerOf = () => undefined;
    await node.close();
  });
});

describe('deadlines', () => {
  test('are fired by the owner when they come, 256 at a time', async () => {
    const { node, link, store } = await openNode();
    store.of(0).deadlines = Array.from({ length: 300 }, () => Date.now() + 3000);
    await elapse(3024);
    expect(link.callsOf('fire')).toEqual([]);
    await elapse(1);
    expect(link.callsOf('fire').map(({ args }) => args)).toEqual(
      new Array(2).fill(['n1.1', 's1n1', 256, 60_000, 0]),
    );
    expect([store.of(0).deadlines, node.metrics.firedDeadlines]).toEqual([[], 300]);
    await elapse(10_000);
    expect(link.callsOf('fire')).toHaveLength(2);
    await node.close();
  });

  test('are heard of in the answer to a batch, and one after the other', async () => {
    const { node, link, store, say } = await openNode();
    const beganMs = Date.now();
    store.of(0).deadlines = [beganMs + 500, beganMs + 1000];
    say('a');
    await elapse(525);
    expect(store.of(0).deadlines).toEqual([beganMs + 1000]);
    await elapse(500);
    expect(store.of(0).deadlines).toEqual([]);
    expect(link.callsOf('fire')).toHaveLength(2);
    await node.close();
  });

  test('hold as they were heard of last', async () => {
    const { node, store, say } = await openNode();
    const beganMs = Date.now();
    store.of(0).deadlines = [beganMs + 900];
    say('a');
    await elapse(10);
    store.of(0).deadlines = [beganMs + 300];
    say('b');
    await elapse(320);
    expect(store.of(0).deadlines).toEqual([]);
    await node.close();
  });

  test('that every answer names are fired all the same', async () => {
    const { node, store, say } = await openNode();
    store.of(0).deadlines = [Date.now()];
    for (const afterMs of [10, 10, 6]) {
      say('a');
      await elapse(afterMs);
    }
    expect([store.of(0).deadlines, node.duePartitions]).toEqual([[], 0]);
    await node.close();
  });

  test('are left to the owner when it hears of them in time, otherwise fired by whoever knows', async () => {
    const { owner, other, state } = await openTwo();
    for (const { link } of [owner, other]) link.calls.length = 0;
    const beganMs = Date.now();
    state.deadlines = [beganMs + 3000];
    other.say('a');
    await elapse(3500);
    expect([owner, other].map(({ link }) => link.callsOf('fire').length)).toEqual([1, 0]);
    state.deadlines = [Date.now() + 100];
    other.say('b');
    await elapse(149);
    expect(state.deadlines).toHaveLength(1);
    await elapse(1);
    expect([owner, other].map(({ link }) => link.callsOf('fire').length)).toEqual([1, 1]);
    expect(state.deadlines).toEqual([]);
    await Promise.all([owner.node.close(), other.node.close()]);
  });

  test('that the owner leaves lying are fired by others', async () => {
    const { owner, other, state } = await openTwo();
    owner.link.up$.next(false);
    state.deadlines = [Date.now() + 100];
    await elapse(4100);
    expect(state.deadlines).toEqual([]);
    expect(other.link.callsOf('fire')).toHaveLength(1);
    await Promise.all([owner.node.close(), other.node.close()]);
  });

  test('whose firing was not answered are fired after the next renewal', async () => {
    const { node, link, store } = await openNode();
    store.of(0).deadlines = [Date.now() + 2500];
    link.faultOf = ({ script }) => (script === 'fire' ? 'request-lost' : undefined);
    await elapse(3000);
    expect(store.of(0).deadlines).toHaveLength(1);
    link.faultOf = () => undefined;
    await elapse(1025);
    expect(store.of(0).deadlines).toEqual([]);
    await node.close();
  });
});
