import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { elapse, useVirtualTime } from '../../support/virtual-time.ts';
import { nodeOn, storeFor } from './fake-node.ts';

beforeEach(() => useVirtualTime());
afterEach(() => {
  jest.useRealTimers();
});

describe('a node of a cluster', () => {
  test('opens with a lease in each partition, and owns what nobody owns', async () => {
    const { node, link, store, owned, heads } = nodeOn({ partitions: 4 });
    await node.open();
    expect(link.listenedTo).toEqual([0, 1, 2, 3].map((partition) => ({ partition, name: 'sys' })));
    expect([0, 1, 2, 3].map((p) => [store.of(p).owner, node.owns(p), node.liveNodes(p)])).toEqual(
      new Array(4).fill(['n1.1', true, 1]),
    );
    expect(owned).toEqual([0, 1, 2, 3].map((partition) => ({ partition, isOwned: true })));
    expect(heads.map(({ partition, heads }) => [partition, ...heads])).toEqual(
      [0, 1, 2, 3].map((partition) => [partition, ['app', 7]]),
    );
    await node.close();
  });

  test('takes eight commands a second while idle, and nothing else', async () => {
    const { node, link } = nodeOn({ partitions: 16 });
    await node.open();
    link.calls.length = 0;
    await elapse(60_000);
    expect(link.calls).toHaveLength(8 * 60);
    expect(new Set(link.calls.map(({ script }) => script))).toEqual(new Set(['renew']));
    await node.close();
  });

  test('does not open on a store that is divided otherwise', async () => {
    const { node, link, store } = nodeOn({ partitions: 8, shared: storeFor(16) });
    await expect(node.open()).rejects.toMatchObject({
      code: 'cluster.partitions',
      details: { stored: '16', configured: 8 },
    });
    expect(link.callsOf('renew')).toHaveLength(1);
    expect(store.of(1).id).toBe('');
    await elapse(10_000);
    expect(link.calls).toHaveLength(1);
  });

  test('does not open when the store gives no answer', async () => {
    const { node, link } = nodeOn();
    link.faultOf = () => 'reply-lost';
    await expect(node.open()).rejects.toThrow('the store gave no lease in partition 0');
  });

  test('writes nothing before it is open', async () => {
    const { node, link, say, source } = nodeOn();
    say('early');
    expect(link.calls).toEqual([]);
    await node.open();
    await elapse(0);
    expect(source.answers).toEqual(['ok:early']);
    await node.close();
  });

  test('closes by owning nothing, writing what waits, and giving its leases back', async () => {
    const { node, link, store, source, owned, log } = nodeOn();
    await node.open();
    source.add(0, 'last', { isUrgent: false });
    link.calls.length = 0;
    const closed = node.close();
    expect(node.owns(0)).toBe(false);
    await elapse(0);
    await closed;
    expect(link.calls.map(({ script }) => script)).toEqual(['apply', 'retire']);
    expect(owned).toEqual([
      { partition: 0, isOwned: true },
      { partition: 0, isOwned: false },
    ]);
    expect(source.answers).toEqual(['ok:last']);
    expect([store.of(0).owner, store.of(0).leases.size]).toEqual(['', 0]);
    expect(log.all('cluster.held')).toEqual([]);
    await elapse(20_000);
    expect(link.calls).toHaveLength(2);
  });

  test('says what it still holds when it goes', async () => {
    const { node, store, log } = nodeOn();
    await node.open();
    store.of(0).entries.set('n1.1', 3);
    await node.close();
    expect(log.all('cluster.held')).toEqual([{ partition: 0, entries: 3 }]);
  });

  test('does not wait for a store that is away when it goes', async () => {
    const { node, link, say } = nodeOn();
    await node.open();
    link.up$.next(false);
    say('never');
    await node.close();
    expect(link.callsOf('apply')).toEqual([]);
  });

  test('waits five seconds for a store that is slow when it goes', async () => {
    const { node, link } = nodeOn();
    await node.open();
    link.holds = ({ script }) => script === 'retire';
    let isClosed = false;
    void node.close().then(() => {
      isClosed = true;
    });
    await elapse(4999);
    expect(isClosed).toBe(false);
    await elapse(1);
    expect(isClosed).toBe(true);
    link.release();
  });

  test('takes no lease again behind its end', async () => {
    const shared = storeFor(1);
    const nodes = [nodeOn({ nodeId: 'a', shared }), nodeOn({ nodeId: 'b', shared })];
    for (const { node } of nodes) await node.open();
    await elapse(2000);
    const [other, owner] = nodes[0]!.node.owns(0) ? [nodes[1]!, nodes[0]!] : [nodes[0]!, nodes[1]!];
    other.link.holds = ({ script }) => script === 'renew' || script === 'retire';
    for (let i = 0; i < 2; i++) other.link.messages$.next({ partition: 0, name: 'sys', message: 'o' });
    await elapse(0);
    const closed = other.node.close();
    await elapse(0);
    other.link.holds = () => false;
    // Answers come in the order of the calls.
    other.link.release(1);
    await elapse(0);
    other.link.release();
    await closed;
    expect([...shared.store.of(0).leases.keys()]).toEqual([owner.node.holderOf(0)]);
    await owner.node.close();
  });

  test('knows no partition that is not there', () => {
    expect(() => nodeOn().node.owns(1)).toThrow('there is no partition 1');
  });

  test('says how it does', async () => {
    const { node, say } = nodeOn();
    await node.open();
    say('a');
    await elapse(1500);
    expect(node.metrics).toEqual({
      batches: 1,
      changes: 1,
      replays: 0,
      begunAnew: { fenced: 0, wiped: 0, lost: 0 },
      reapedHolders: 0,
      firedDeadlines: 0,
      scripts: 2,
      scriptMs: 0,
      leaseAgeMs: 1500,
      generation: 0,
      ownedPartitions: 1,
      journalBytes: 42,
      scriptsInFlight: 0,
      scriptsWaiting: 0,
    });
    await node.close();
  });
});

describe('the store is away:', () => {
  test('sources hear of it once, and of its return when all leases are renewed', async () => {
    const { node, link, source } = nodeOn({ partitions: 3 });
    await node.open();
    link.up$.next(false);
    link.up$.next(false);
    expect(source.log).toEqual(['away']);
    link.calls.length = 0;
    link.holds = ({ partition }) => partition === 2;
    link.up$.next(true);
    await elapse(0);
    expect(link.callsOf('renew')).toHaveLength(3);
    expect(source.log).toEqual(['away']);
    link.holds = () => false;
    link.release();
    await elapse(0);
    expect(source.log).toEqual(['away', 'returned']);
    await node.close();
  });

  test('a return that ends before the leases are renewed is none', async () => {
    const { node, link, source } = nodeOn();
    await node.open();
    link.up$.next(false);
    link.holds = () => true;
    link.up$.next(true);
    link.up$.next(false);
    link.release();
    await elapse(0);
    expect(source.log).toEqual(['away']);
    link.holds = () => false;
    link.up$.next(true);
    await elapse(0);
    expect(source.log).toEqual(['away', 'returned']);
    await node.close();
  });

  test('nothing is asked of it, and the node counts itself as alone', async () => {
    const { node, link, say } = nodeOn();
    await node.open();
    link.up$.next(false);
    link.calls.length = 0;
    say('later');
    await elapse(30_000);
    expect(link.calls).toEqual([]);
    expect([node.liveNodes(0), node.owns(0)]).toEqual([1, false]);
    await node.close();
  });

  test('what was not answered is sent again with its number, before anything new', async () => {
    const { node, link, store, source, say } = nodeOn();
    await node.open();
    link.faultOf = ({ script }) => (script === 'apply' ? 'reply-lost' : undefined);
    say('first');
    await elapse(0);
    link.up$.next(false);
    link.faultOf = () => undefined;
    say('second');
    await elapse(1000);
    expect(source.answers).toEqual([]);
    link.up$.next(true);
    await elapse(1);
    expect(link.callsOf('apply').map(({ args }) => args[2])).toEqual([1, 1, 2]);
    expect(source.answers).toEqual(['ok:first', 'ok:second']);
    expect(store.textsOf(0)).toEqual(['first', 'second']);
    await node.close();
  });

  test('the return makes no stampede: four scripts at once', async () => {
    const { node, link, source } = nodeOn({ partitions: 16 });
    await node.open();
    link.up$.next(false);
    for (let p = 0; p < 16; p++) source.add(p, `held ${p}`);
    link.holds = ({ script }) => script === 'apply';
    link.up$.next(true);
    await elapse(1);
    expect([link.held, node.metrics.scriptsInFlight, node.metrics.scriptsWaiting]).toEqual([4, 4, 12]);
    link.release(1);
    await elapse(0);
    expect(link.held).toBe(4);
    link.holds = () => false;
    link.release();
    await elapse(0);
    expect(source.answers).toHaveLength(16);
    await node.close();
  });
});

describe('two nodes', () => {
  async function two(partitions = 16) {
    const shared = storeFor(partitions);
    const one = nodeOn({ nodeId: 'aaaaaaaaaaaa', partitions, shared });
    const other = nodeOn({ nodeId: 'bbbbbbbbbbbb', partitions, shared });
    await one.node.open();
    await other.node.open();
    const ownedBy = ({ node }: typeof one): readonly number[] =>
      Array.from({ length: partitions }, (_, p) => p).filter((p) => node.owns(p));
    return { shared, one, other, ownedBy };
  }

  test('divide the partitions within a renewal, each owned by one', async () => {
    const { one, other, ownedBy } = await two();
    expect(ownedBy(one)).toHaveLength(16);
    await elapse(2000);
    const [mine, theirs] = [ownedBy(one), ownedBy(other)];
    expect([...mine, ...theirs].sort((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, p) => p));
    expect(Math.min(mine.length, theirs.length)).toBeGreaterThan(3);
    expect([one.node.liveNodes(0), other.node.liveNodes(0)]).toEqual([2, 2]);
    await Promise.all([one.node.close(), other.node.close()]);
  });

  test('when one dies the other reaps it and takes its partitions as soon as the lease is over', async () => {
    const { shared, one, other, ownedBy } = await two();
    await elapse(2000);
    for (let p = 0; p < 16; p++) shared.store.of(p).entries.set('bbbbbbbbbbbb.1', 300);
    other.link.up$.next(false);
    await elapse(8100);
    expect(ownedBy(one)).toHaveLength(16);
    expect(shared.store.of(3).entries.size).toBe(0);
    expect(one.link.callsOf('reap', 3)).toHaveLength(2);
    expect(one.log.all('cluster.reaped')).toContainEqual({
      partition: 3,
      holder: 'bbbbbbbbbbbb.1',
      entries: 300,
    });
    expect(one.node.metrics.reapedHolders).toBe(16);
    expect(ownedBy(other)).toEqual([]);
    await Promise.all([one.node.close(), other.node.close()]);
  });

  test('one that was thought dead begins anew under the next name and tells what it holds', async () => {
    const { one, other } = await two(1);
    other.say('before');
    await elapse(2000);
    other.source.holds.set(0, ['held']);
    other.link.up$.next(false);
    await elapse(8100);
    other.link.up$.next(true);
    await elapse(0);
    expect(other.node.holderOf(0)).toBe('bbbbbbbbbbbb.2');
    expect(other.source.log).toEqual(['away', 'assert 0', 'returned']);
    expect(other.source.answers).toEqual(['ok:before', 'ok:held']);
    expect(other.log.all('cluster.begun-anew')).toEqual([
      { partition: 0, holder: 'bbbbbbbbbbbb.2', cause: 'fenced' },
    ]);
    await Promise.all([one.node.close(), other.node.close()]);
  });

  test('when one goes the other takes its partitions at once', async () => {
    const { one, other, ownedBy } = await two();
    await elapse(2000);
    await other.node.close();
    await elapse(0);
    expect(ownedBy(one)).toHaveLength(16);
    await one.node.close();
  });

  test('settle fires every deadline where no other is alive, and leaves the rest', async () => {
    const { shared, one, other } = await two(2);
    await elapse(2000);
    const deadlines = (): readonly number[] => [0, 1].map((p) => shared.store.of(p).deadlines.length);
    for (const p of [0, 1])
      shared.store.of(p).deadlines = Array.from({ length: 300 }, () => Date.now() + 60_000);
    await one.node.settle();
    expect(deadlines()).toEqual([300, 300]);
    await other.node.close();
    await one.node.settle();
    expect(deadlines()).toEqual([0, 0]);
    expect(one.node.metrics.firedDeadlines).toBe(600);
    await one.node.close();
  });
});
