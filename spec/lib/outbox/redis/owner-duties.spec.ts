import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Subject } from 'rxjs';
import type { ClusterNode, OwnershipChange, PartitionHeads } from '../../../../lib/cluster/cluster-node.ts';
import type { GroupSource } from '../../../../lib/cluster/group-source.ts';
import type { LaneWork } from '../../../../lib/outbox/outbox.ts';
import { RedisOutbox } from '../../../../lib/outbox/redis/redis-outbox.ts';
import { type Reply, StoreAway } from '../../../../lib/redis/store-link.ts';
import { type Call, FakeLink } from '../../fake-link.ts';
import { endpoint } from '../open-outbox.ts';

let opened: RedisOutbox | undefined;
beforeEach(() => {
  // The sweep is the only interval of an outbox.
  jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'performance'] });
});
afterEach(() => {
  opened?.close();
  jest.useRealTimers();
});

/** An outbox with one partition, behind a link that a spec answers for. */
async function openOutbox() {
  const link = new FakeLink(1);
  const ownership$ = new Subject<OwnershipChange>();
  const heads$ = new Subject<PartitionHeads>();
  const sources: GroupSource[] = [];
  const failures: unknown[] = [];
  const node: ClusterNode = {
    ...{ nodeId: 'n', ownership$, heads$, holderOf: () => 'n.1', owns: () => false, liveNodes: () => 1 },
    ...{ addSource: (source) => sources.push(source), poke: () => undefined },
    ...{ settle: () => Promise.resolve(), open: () => Promise.resolve(), close: () => Promise.resolve() },
  };
  const outbox = new RedisOutbox({
    ...{ link, node, clock: { now: () => 0 }, retainMs: 1_000, maxBytesPerApp: 1_000, timeoutMs: 100 },
    onUpkeepFailed: (error) => failures.push(error),
  });
  opened = outbox;
  await outbox.open([endpoint('hook')]);
  const modes = (): readonly string[] =>
    link.calls
      .splice(0)
      .map(({ script, args }) => (script === 'outbox' ? `outbox ${String(args[0])}` : script));
  modes();
  const take = async (): Promise<void> => {
    ownership$.next({ partition: 0, isOwned: true });
    link.listens.at(-1)?.confirm();
    await outbox.idle();
  };
  const assertAll = (): void => sources[0]?.assertAll(0, { isWiped: true });
  const lose = (): void => sources[0]?.lost?.(0);
  const renewed = (generation = 0): void => heads$.next({ partition: 0, generation, heads: new Map() });
  const told: LaneWork[] = [];
  void outbox.work$.forEach((work) => told.push(work));
  return { link, outbox, ownership$, renewed, failures, modes, take, assertAll, lose, told };
}

/** What is under way may ask to listen, once. */
async function settleListens(link: FakeLink, outbox: RedisOutbox): Promise<void> {
  const before = link.listens.length;
  const idle = outbox.idle();
  for (let turn = 0; turn < 100 && link.listens.length === before; turn++) await Promise.resolve();
  link.listens.at(-1)?.confirm();
  await idle;
}

/** A store that is away for calls of this script, and answers others. */
const awayFor =
  (script: string) =>
  (call: Call): readonly string[] => {
    if (call.script === script) throw new StoreAway('no answer');
    return ['OK'];
  };

const hookLane = { appId: 'app-1', endpointId: 'hook', partition: 0 };

/** A store in which two events wait for the endpoint. */
const withTwoWaiting = ({ args }: Call): Reply =>
  args[0] === 'backlogs' ? ['OK', ['app-1', 'hook', '', 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]] : ['OK'];

describe('the owner of a partition', () => {
  test('listens for new entries before it reads what there is', async () => {
    const { link, ownership$, outbox, modes } = await openOutbox();
    ownership$.next({ partition: 0, isOwned: true });
    const before = [link.listens.map(({ topics }) => topics), modes()];
    link.listens[0]!.confirm();
    await outbox.idle();
    expect([before, modes()]).toEqual([[[['wake']], []], ['outbox backlogs']]);
  });

  test('reads again at its next renewal what it could not read', async () => {
    const { link, take, renewed, outbox, modes, failures } = await openOutbox();
    link.answer = awayFor('outbox');
    await take();
    modes();
    link.answer = () => ['OK'];
    renewed();
    link.listens.at(-1)!.confirm();
    await outbox.idle();
    renewed();
    expect([modes(), failures]).toEqual([['outbox backlogs'], []]);
  });

  test('reads again what there is when messages may have been missed', async () => {
    const { link, take, outbox, modes } = await openOutbox();
    await take();
    modes();
    link.gaps$.next();
    link.listens.at(-1)!.confirm();
    await outbox.idle();
    expect(modes()).toEqual(['outbox backlogs']);
  });

  test('tells again what there is when the store was away for a moment and no message was missed', async () => {
    const { link, take, outbox, told } = await openOutbox();
    await take();
    link.answer = withTwoWaiting;
    link.up$.next(false);
    link.up$.next(true);
    link.listens.at(-1)!.confirm();
    await outbox.idle();
    expect(told).toEqual([{ lane: hookLane, pending: 2 }]);
  });

  test('says of what it finds first that others may have sent of it before', async () => {
    const { link, take, renewed, outbox, told } = await openOutbox();
    link.answer = awayFor('outbox');
    await take();
    link.answer = withTwoWaiting;
    renewed();
    link.listens.at(-1)!.confirm();
    await outbox.idle();
    link.gaps$.next();
    link.listens.at(-1)!.confirm();
    await outbox.idle();
    const work = { lane: hookLane, pending: 2 };
    expect(told).toEqual([{ ...work, isTaken: true }, work]);
  });

  test('lists its endpoints with each sweep, and reads what there is then', async () => {
    const { link, take, outbox, modes } = await openOutbox();
    await take();
    link.calls.length = 0;
    jest.advanceTimersByTime(60_000);
    await settleListens(link, outbox);
    const listing = link.calls.find(({ script }) => script === 'endpoints');
    expect(listing?.args).toEqual(['n', 'app-1', 'hook']);
    expect(modes().at(-1)).toBe('outbox backlogs');
  });

  test('listens no more when it has given the partition, though it was still reading', async () => {
    const { link, ownership$, outbox, modes } = await openOutbox();
    ownership$.next({ partition: 0, isOwned: true });
    ownership$.next({ partition: 0, isOwned: false });
    link.listens[0]!.confirm();
    await outbox.idle();
    expect([link.unlistened.length > 0, outbox.size.ownedPartitions, modes()]).toEqual([
      true,
      0,
      ['outbox backlogs'],
    ]);
  });
});

describe('a node that begins anew', () => {
  test('lists its endpoints again', async () => {
    const { assertAll, outbox, modes } = await openOutbox();
    assertAll();
    await outbox.idle();
    expect(modes()).toEqual(['endpoints']);
  });

  test('lists them at a renewal when the store was away, and holds its events until then', async () => {
    const { link, assertAll, renewed, outbox, modes } = await openOutbox();
    link.answer = awayFor('endpoints');
    assertAll();
    await outbox.idle();
    link.answer = () => ['OK'];
    renewed();
    await outbox.idle();
    renewed();
    await outbox.idle();
    expect(modes()).toEqual(['endpoints', 'endpoints']);
  });
});

describe('a node whose store has lost something', () => {
  test('lists its endpoints again with the renewal that says so, once, whoever owns the partition', async () => {
    const { renewed, outbox, modes } = await openOutbox();
    renewed(3);
    await outbox.idle();
    const before = modes();
    renewed(4);
    renewed(4);
    await outbox.idle();
    renewed(4);
    await outbox.idle();
    expect([before, modes()]).toEqual([[], ['endpoints']]);
  });

  test('lists them before it returns to write again what was lost', async () => {
    const { lose, modes } = await openOutbox();
    lose();
    expect(modes()).toEqual(['endpoints']);
  });

  test('reads what there is behind that, when it owns the partition', async () => {
    const { link, take, renewed, outbox, modes } = await openOutbox();
    await take();
    renewed(3);
    modes();
    renewed(4);
    await settleListens(link, outbox);
    expect(modes()).toEqual(['endpoints', 'outbox backlogs']);
  });
});

describe('an outbox that settles', () => {
  test('has told what the store has, though no message said so', async () => {
    const { link, take, outbox, told } = await openOutbox();
    await take();
    link.answer = withTwoWaiting;
    const settled = outbox.settle();
    link.listens.at(-1)!.confirm();
    await settled;
    expect(told).toEqual([{ lane: hookLane, pending: 2 }]);
  });

  test('waits for nothing while the store is away', async () => {
    const { link, take, outbox } = await openOutbox();
    await take();
    link.up$.next(false);
    await expect(outbox.settle()).resolves.toBeUndefined();
  });
});

describe('a replayed batch that was taken', () => {
  test('is acknowledged only when its dead letters are forgotten', async () => {
    const { link, outbox } = await openOutbox();
    const lane = { appId: 'app-1', endpointId: 'hook', partition: 'replay' } as const;
    const events = JSON.stringify([
      { kind: 'cache_miss', id: 'x', appId: 'app-1', channel: 'cache-a', atMs: 1 },
    ]);
    link.answer = ({ args }) => {
      if (args[0] === 'forget') throw new StoreAway('no answer');
      return args[0] === 'read'
        ? ['BATCH', 1, 0, 1, 0, 0, 'msg_1', '1|0||0|1|1|', events, '{}']
        : ['OK', 1, 0, 0, 0, 0];
    };
    await expect(outbox.acknowledge(lane, 'msg_1')).rejects.toThrow(StoreAway);
    expect(link.calls.map(({ args }) => args[0])).not.toContain('acknowledge');
  });
});
