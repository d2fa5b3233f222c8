import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { GroupSource } from '../../../lib/cluster/group-source.ts';
import { elapse, useVirtualTime } from '../../support/virtual-time.ts';
import type { FakeLink } from './fake-link.ts';
import { FakeSource } from './fake-source.ts';
import { nodeOn, settings, storeFor } from './fake-node.ts';

beforeEach(() => useVirtualTime());
afterEach(() => {
  jest.useRealTimers();
});

async function openNode(options: Parameters<typeof nodeOn>[0] = {}) {
  const opened = nodeOn(options);
  await opened.node.open();
  return opened;
}

const batchesOf = (link: FakeLink): readonly (readonly string[])[] =>
  link.callsOf('apply').map(({ args }) => textsOf(args));

/** The groups of the fake source end in their text. */
function textsOf(args: readonly (string | number)[]): readonly string[] {
  return Array.from({ length: Number(args[6]) }, (_, i) => String(args[7 + i * 5 + 4]));
}

/** What a batch was sent as: name, number, cause, texts. */
const sentAs = (link: FakeLink): readonly string[] =>
  link.callsOf('apply').map(({ args }) => [args[0], args[2], args[5] || '-', ...textsOf(args)].join(' '));

describe('a batch', () => {
  test('says who sends it, to which store, its number, and what the script has to know', async () => {
    const { node, link, say } = await openNode();
    say('a');
    await elapse(1);
    const { graceMs, retainMs } = settings;
    expect(link.callsOf('apply')[0]?.args).toEqual([
      ...['n1.1', 's1n1', 1, graceMs, retainMs, '', 1],
      ...['e', '', '', '', 'a'],
    ]);
    await node.close();
  });

  test('goes at once when somebody waits for it, with the leaves that are there', async () => {
    const { node, link, source, say } = await openNode();
    source.add(0, 'leave', { isUrgent: false });
    say('join');
    await elapse(1);
    expect(batchesOf(link)).toEqual([['leave', 'join']]);
    await node.close();
  });

  test('waits in a crowd for a turn of the event loop in which nothing comes, and goes with what came', async () => {
    const { node, link, say } = await openNode({ partitions: 2 });
    say('a');
    say('elsewhere', 1);
    setImmediate(() => say('b'));
    await elapse(5);
    expect(batchesOf(link)).toEqual([['a', 'b'], ['elsewhere']]);
    await node.close();
  });

  test('does not wait in a crowd when it has 64 changes', async () => {
    const { node, link, source, say } = await openNode();
    for (let i = 1; i < 64; i++) source.add(0, `${i}`);
    say('the last');
    setImmediate(() => say('late'));
    await elapse(1);
    expect(batchesOf(link).map(({ length }) => length)).toEqual([64, 1]);
    await node.close();
  });

  test('of leaves goes at once when none was sent lately, and otherwise 100 ms behind that', async () => {
    const { node, link, source } = await openNode();
    const leave = (text: string): void => {
      source.add(0, text, { isUrgent: false });
      node.poke(0);
    };
    leave('a');
    await elapse(1);
    expect(batchesOf(link)).toEqual([['a']]);
    leave('b');
    await elapse(50);
    leave('c');
    await elapse(48);
    expect(batchesOf(link)).toEqual([['a']]);
    await elapse(2);
    expect(batchesOf(link)).toEqual([['a'], ['b', 'c']]);
    await elapse(100);
    leave('d');
    await elapse(1);
    expect(batchesOf(link)).toHaveLength(3);
    await node.close();
  });

  test('of leaves goes at once when it is full', async () => {
    const { node, link, source } = await openNode();
    for (let i = 0; i < 300; i++) source.add(0, `${i}`, { isUrgent: false });
    node.poke(0);
    await elapse(1);
    expect(batchesOf(link).map(({ length }) => length)).toEqual([256]);
    await elapse(100);
    expect(batchesOf(link).map(({ length }) => length)).toEqual([256, 44]);
    await node.close();
  });

  test('has 64 changes, and 256 when more than 64 wait', async () => {
    const { node, link, source } = await openNode();
    for (let i = 0; i < 64 + 65; i++) source.add(0, `${i}`);
    link.holds = ({ script }) => script === 'apply';
    node.poke(0);
    await elapse(1);
    for (let i = 0; i < 60; i++) source.add(0, `more ${i}`);
    link.holds = () => false;
    link.release();
    await elapse(1);
    expect(batchesOf(link).map(({ length }) => length)).toEqual([129, 60]);
    await node.close();
  });

  test('is taken when it may go, one at a time, in order', async () => {
    const { node, link, source, say } = await openNode();
    link.holds = ({ script }) => script === 'apply';
    say('a');
    say('b');
    await elapse(1);
    say('c');
    expect(batchesOf(link)).toEqual([['a', 'b']]);
    link.holds = () => false;
    link.release();
    await elapse(1);
    expect(batchesOf(link)).toEqual([['a', 'b'], ['c']]);
    expect(source.answers).toEqual(['ok:a', 'ok:b', 'ok:c']);
    await node.close();
  });

  test('takes from every source, in their order, as much as is fair', async () => {
    const opened = nodeOn();
    const other = new FakeSource();
    opened.node.addSource(other);
    await opened.node.open();
    for (let i = 0; i < 1000; i++) opened.source.add(0, 'big');
    for (let i = 0; i < 20; i++) other.add(0, 'small');
    opened.node.poke(0);
    await elapse(1);
    const [first] = batchesOf(opened.link);
    expect(first?.filter((text) => text === 'small')).toHaveLength(20);
    expect(first?.[0]).toBe('big');
    expect(first).toHaveLength(256);
    await opened.node.close();
  });

  test('gives a source the whole room when its share is too little for what comes first', async () => {
    const opened = nodeOn();
    const other = new FakeSource();
    opened.node.addSource(other);
    await opened.node.open();
    opened.source.add(0, 'one', { changes: 200 });
    other.add(0, 'two', { changes: 200 });
    opened.node.poke(0);
    await elapse(1);
    expect(batchesOf(opened.link)).toEqual([['one'], ['two']]);
    await opened.node.close();
  });

  test('that cannot be taken is asked for again when a source says so, and not before', async () => {
    let asked = 0;
    const stubborn: GroupSource = {
      take: () => {
        asked++;
        return [];
      },
      waiting: () => ({ changes: 1, isUrgent: true }),
      away: () => undefined,
      returned: () => undefined,
      assertAll: () => undefined,
    };
    const opened = nodeOn();
    opened.node.addSource(stubborn);
    await opened.node.open();
    await elapse(900);
    const before = asked;
    expect(before).toBeLessThan(5);
    opened.node.poke(0);
    await elapse(900);
    expect(asked).toBeGreaterThan(before);
    expect(asked).toBeLessThan(before + 5);
    await opened.node.close();
  });
});

describe('an answer that', () => {
  test('does not come has the batch sent again with its number, after 100 ms while the link is up', async () => {
    const { node, link, store, source, say } = await openNode();
    link.faultOf = ({ script }) => (script === 'apply' ? 'reply-lost' : undefined);
    say('a');
    await elapse(99);
    expect(sentAs(link)).toEqual(['n1.1 1 - a']);
    link.faultOf = () => undefined;
    await elapse(1);
    expect(sentAs(link)).toEqual(['n1.1 1 - a', 'n1.1 1 - a']);
    expect([source.answers, store.textsOf(0)]).toEqual([['ok:a'], ['a']]);
    await node.close();
  });

  test('says the lease ran out has it renewed, and the same batch sent', async () => {
    const { node, link, store, source, say } = await openNode();
    store.of(0).leases.set('n1.1', Date.now() - 1);
    say('a');
    await elapse(1);
    expect(link.calls.map(({ script }) => script)).toEqual(['renew', 'apply', 'renew', 'apply']);
    expect([sentAs(link), source.answers]).toEqual([['n1.1 1 - a', 'n1.1 1 - a'], ['ok:a']]);
    await node.close();
  });

  test('is an error of the script is told, and the batch sent again every second', async () => {
    const { node, link, source, log, say } = await openNode();
    link.answerOf = ({ script }) => {
      if (script === 'apply') throw new Error('WRONGTYPE');
      return undefined;
    };
    say('a');
    await elapse(999);
    expect(sentAs(link)).toHaveLength(1);
    expect(log.all('cluster.script-failed')).toEqual([
      { script: 'apply', partition: 0, err: new Error('WRONGTYPE') },
    ]);
    link.answerOf = () => undefined;
    await elapse(1);
    expect(source.answers).toEqual(['ok:a']);
    await node.close();
  });

  test('nobody knows is told, and the batch sent again', async () => {
    const { node, link, source, log, say } = await openNode();
    link.answerOf = ({ script }) => (script === 'apply' ? ['WHAT'] : undefined);
    say('a');
    await elapse(1);
    expect(log.all('cluster.script-failed')).toMatchObject([{ err: new Error('apply answered WHAT') }]);
    link.answerOf = () => undefined;
    await elapse(1000);
    expect(source.answers).toEqual(['ok:a']);
    await node.close();
  });
});

describe('a store that lost batches', () => {
  test('is given them again with their numbers, before the one it was asked for', async () => {
    const { node, link, store, source, log, say } = await openNode();
    for (const text of ['a', 'b', 'c']) {
      say(text);
      await elapse(1);
    }
    store.loseBatches(0, 'n1.1', 2);
    link.calls.length = 0;
    say('d');
    await elapse(1);
    expect(sentAs(link)).toEqual(['n1.1 4 - d', 'n1.1 2 reconciled b', 'n1.1 3 reconciled c', 'n1.1 4 - d']);
    expect(store.textsOf(0)).toEqual(['a', 'b', 'c', 'd']);
    expect(store.of(0).gen).toBe(1);
    expect(source.answers).toEqual(['ok:a', 'ok:b', 'ok:c', 'ok:d']);
    expect(log.all('cluster.gap')).toEqual([{ partition: 0, batches: 2 }]);
    expect(node.metrics).toMatchObject({ replays: 2, batches: 4, changes: 4 });
    await node.close();
  });

  test('is given them again as they were answered', async () => {
    const opened = nodeOn();
    const { node, link, store } = opened;
    const decided: GroupSource = {
      take: () => {
        const group = {
          args: ['e', '', '', '', 'asked'],
          changes: 1,
          answered: () => {
            group.args = ['e', '', '', '', 'decided'];
          },
        };
        changes = 0;
        return [group];
      },
      waiting: () => ({ changes, isUrgent: true }),
      away: () => undefined,
      returned: () => undefined,
      assertAll: () => undefined,
    };
    let changes = 1;
    node.addSource(decided);
    await node.open();
    await elapse(1);
    store.loseBatches(0, 'n1.1', 1);
    await elapse(2000);
    expect(sentAs(link)).toEqual(['n1.1 1 - asked', 'n1.1 1 reconciled decided']);
    await node.close();
  });

  test('of others is found with the answer to a batch, and renewed at once', async () => {
    const { node, link, store, say } = await openNode();
    store.of(0).writes = 9;
    say('a');
    await elapse(1);
    store.of(0).writes = 4;
    link.calls.length = 0;
    say('b');
    await elapse(1);
    expect(link.calls.map(({ script }) => script)).toEqual(['apply', 'renew']);
    expect(link.callsOf('renew')[0]?.args[9]).toBe(10);
    expect([store.of(0).gen, store.textsOf(0)]).toEqual([1, ['a', 'b']]);
    await node.close();
  });

  test('is found by the next renewal when nothing is written', async () => {
    const { node, link, store, say } = await openNode();
    say('a');
    await elapse(1);
    store.loseBatches(0, 'n1.1', 1);
    link.calls.length = 0;
    await elapse(2001);
    expect(link.calls.map(({ script }) => script)).toEqual(['renew', 'renew', 'apply']);
    expect([store.textsOf(0), store.of(0).gen]).toEqual([['a'], 1]);
    await node.close();
  });

  test('is told everything under a new name when the batches are remembered no longer', async () => {
    const { node, link, store, source, log, say } = await openNode();
    say('a');
    await elapse(40_000);
    source.holds.set(0, ['held']);
    store.of(0).entries.set('n1.1', 5);
    store.loseBatches(0, 'n1.1', 1);
    link.calls.length = 0;
    await elapse(2001);
    expect(sentAs(link)).toEqual(['n1.2 1 reconciled held']);
    const { graceMs, retainMs } = settings;
    expect(link.callsOf('reap').map(({ args }) => args)).toEqual([
      ['n1.2', 'n1.1', 's1n1', 256, graceMs, retainMs, 1, 'reconciled'],
    ]);
    expect(log.all('cluster.begun-anew')).toEqual([{ partition: 0, holder: 'n1.2', cause: 'lost' }]);
    expect([store.of(0).owner, node.owns(0)]).toEqual(['n1.2', true]);
    await node.close();
  });

  test('and found them again is asked from where it stands', async () => {
    const { node, link, store, source, say } = await openNode();
    say('a');
    await elapse(1);
    say('b');
    await elapse(1);
    const kept = store.of(0).batches.get('n1.1')!;
    const applied = [...store.of(0).applied];
    store.loseBatches(0, 'n1.1', 2);
    link.calls.length = 0;
    // Another server answers in turn: one that lost both batches, and then one that has them.
    link.answerOf = ({ script, args }) => {
      if (script === 'apply' && args[5] === 'reconciled') {
        store.of(0).batches.set('n1.1', kept);
        store.of(0).applied = applied;
        link.answerOf = () => undefined;
      }
      return undefined;
    };
    say('c');
    await elapse(1);
    expect(sentAs(link)).toEqual(['n1.1 3 - c', 'n1.1 1 reconciled a', 'n1.1 2 reconciled b', 'n1.1 3 - c']);
    expect(store.textsOf(0)).toEqual(['a', 'b', 'c']);
    expect(source.answers).toEqual(['ok:a', 'ok:b', 'ok:c']);
    await node.close();
  });

  test('and has batches of this name that nobody here sent has the node begin anew', async () => {
    const { node, store, source, log, say } = await openNode();
    store.of(0).batches.set('n1.1', { number: 7, replies: [] });
    say('a');
    await elapse(1);
    expect(log.all('cluster.begun-anew')).toMatchObject([{ holder: 'n1.2', cause: 'lost' }]);
    expect(source.answers).toEqual(['ok:a']);
    await node.close();
  });
});

describe('a node that was fenced', () => {
  test('tells what was not answered, then all it holds, then has its former name reaped', async () => {
    const { node, link, store, source, log, say } = await openNode();
    source.holds.set(
      0,
      Array.from({ length: 300 }, (_, i) => `held ${i}`),
    );
    store.of(0).entries.set('n1.1', 3);
    store.fence(0, 'n1.1');
    link.calls.length = 0;
    say('asked');
    await elapse(1);
    expect(link.calls.map(({ script }) => script)).toEqual([
      ...['apply', 'renew', 'apply', 'apply', 'apply', 'reap'],
    ]);
    expect(link.callsOf('apply').map(({ args }) => [args[0], args[5], args[6]])).toEqual([
      ['n1.1', '', 1],
      ['n1.2', 'reconciled', 1],
      ['n1.2', 'reconciled', 256],
      ['n1.2', 'reconciled', 44],
    ]);
    expect(source.answers.slice(0, 2)).toEqual(['ok:asked', 'ok:held 0']);
    expect(log.all('cluster.reaped')).toEqual([{ partition: 0, holder: 'n1.1', entries: 3 }]);
    expect(node.owns(0)).toBe(true);
    say('later');
    await elapse(1);
    expect(sentAs(link).at(-1)).toBe('n1.2 4 - later');
    expect(node.metrics.begunAnew).toEqual({ fenced: 1, wiped: 0, lost: 0 });
    await node.close();
  });

  test('and holds nothing has its former name reaped at once', async () => {
    const { node, link, store } = await openNode();
    store.fence(0, 'n1.1');
    await elapse(2000);
    expect(node.holderOf(0)).toBe('n1.2');
    expect(link.callsOf('reap').map(({ args }) => args.slice(0, 2))).toEqual([['n1.2', 'n1.1']]);
    await node.close();
  });

  test('reaps its former name with the next renewal when that was not answered', async () => {
    const { node, link, store } = await openNode();
    store.fence(0, 'n1.1');
    link.faultOf = ({ script }) => (script === 'reap' ? 'request-lost' : undefined);
    await elapse(2000);
    link.faultOf = () => undefined;
    expect([...store.of(0).leases.keys()]).toContain('n1.1');
    await elapse(2000);
    expect([...store.of(0).leases.keys()]).toEqual(['n1.2']);
    await node.close();
  });

  test('is not asked for without a pause while the former name cannot be removed', async () => {
    const { node, link, store } = await openNode();
    store.of(0).owner = 'other.1';
    store.of(0).leases.set('other.1', Date.now() + 1_000_000);
    store.of(0).entries.set('n1.1', 1);
    store.fence(0, 'n1.1');
    link.answerOf = ({ script }) => {
      if (script === 'reap' && link.callsOf('reap').length < 500) throw new Error('the script failed');
      return undefined;
    };
    await elapse(6000);
    expect(link.callsOf('reap').length).toBeLessThan(10);
    await node.close();
  });

  test('takes the answer that its former name was given after all, and asks no more', async () => {
    const { node, link, store, source, say } = await openNode();
    link.holds = ({ script }) => script === 'apply';
    say('a');
    await elapse(1);
    store.fence(0, 'n1.1');
    await elapse(2000);
    expect(node.holderOf(0)).toBe('n1.2');
    link.holds = () => false;
    link.release();
    await elapse(1);
    expect([sentAs(link), source.answers]).toEqual([['n1.1 1 - a'], ['ok:a']]);
    await node.close();
  });
});

describe('a store that came back empty', () => {
  test.each(['by the next renewal', 'by the next batch'])('is found %s, and told all', async (how) => {
    const { node, link, store, source, log, say } = await openNode();
    say('before');
    await elapse(1);
    source.holds.set(0, ['held']);
    store.wipe();
    link.calls.length = 0;
    if (how === 'by the next batch') say('asked');
    await elapse(2000);
    expect(source.log).toEqual(['assert 0 wiped']);
    const asked = how === 'by the next batch' ? ['asked'] : [];
    expect(store.textsOf(0)).toEqual([...asked, 'held']);
    expect(store.of(0).gen).toBe(1);
    expect(link.callsOf('reap')).toEqual([]);
    expect(log.all('cluster.begun-anew')).toEqual([{ partition: 0, holder: 'n1.2', cause: 'wiped' }]);
    await node.close();
  });

  test('raises its generation once, whoever finds it first', async () => {
    const shared = storeFor(1);
    const one = await openNode({ shared, nodeId: 'a' });
    const other = await openNode({ shared, nodeId: 'b' });
    await elapse(2000);
    shared.store.wipe();
    await elapse(4000);
    expect(shared.store.of(0).gen).toBe(1);
    expect([one, other].map(({ node }) => node.metrics.begunAnew.wiped)).toEqual([1, 1]);
    shared.store.wipe();
    await elapse(4000);
    expect(shared.store.of(0).gen).toBe(2);
    await Promise.all([one.node.close(), other.node.close()]);
  });
});
