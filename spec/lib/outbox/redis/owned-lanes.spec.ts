import { describe, expect, test } from '@jest/globals';
import type { LaneWork } from '../../../../lib/outbox/outbox.ts';
import { EndpointList } from '../../../../lib/outbox/redis/endpoint-list.ts';
import { OwnedLanes } from '../../../../lib/outbox/redis/owned-lanes.ts';
import type { PartitionBacklog } from '../../../../lib/outbox/redis/partition-store.ts';
import { endpoint } from '../open-outbox.ts';

function makeOwned() {
  const endpoints = new EndpointList();
  endpoints.open([endpoint('hook')]);
  const owned = new OwnedLanes(endpoints, 1);
  const work: LaneWork[] = [];
  void owned.work$.forEach((one) => work.push(one));
  return { owned, work, pendings: () => work.splice(0).map(({ pending }) => pending) };
}

function backlog(own: Partial<PartitionBacklog> = {}): PartitionBacklog {
  const nothing = { pending: 0, recorded: 0, bytes: 0, deadLetters: 0, leftOut: 0, position: 0, folded: 0 };
  const rest = { closedAtMs: undefined, oldestAtMs: undefined, replays: 0, hasReplayBatch: false, head: 0 };
  return { appId: 'app-1', endpointId: 'hook', ...nothing, ...rest, ...own };
}

const lane = { appId: 'app-1', endpointId: 'hook', partition: 0 };
const facts = { token: 1, pending: 0, hasBatch: false, position: 3, folded: 0 };

describe('the lanes a node owns', () => {
  test('have the work that their backlogs say', () => {
    const { owned, work } = makeOwned();
    owned.take(0);
    owned.load(0, [
      backlog({ pending: 3, head: 3, replays: 2 }),
      backlog({ endpointId: 'foreign', pending: 1 }),
    ]);
    expect(work).toEqual([
      { lane, pending: 3, isTaken: true },
      { lane: { ...lane, partition: 'replay' }, pending: 2, isTaken: true },
    ]);
  });

  test('are said to have come here once, when they are told for the first time', () => {
    const { owned, work } = makeOwned();
    owned.take(0);
    owned.load(0, [backlog({ pending: 1, head: 1 })]);
    owned.reload(0);
    owned.load(0, [backlog({ pending: 1, head: 1 })]);
    owned.give(0);
    owned.take(0);
    owned.load(0, [backlog({ pending: 1, head: 1 })]);
    expect(work.map(({ isTaken }) => isTaken)).toEqual([true, undefined, true]);
  });

  test('have work when a batch waits, or one of a replay', () => {
    const { owned, pendings } = makeOwned();
    owned.take(0);
    owned.load(0, [backlog({ recorded: 1 })]);
    owned.load(0, [backlog({ hasReplayBatch: true })]);
    expect(pendings()).toEqual([0, 0]);
  });

  test('have work when something was appended, folded events among it', () => {
    const { owned, pendings } = makeOwned();
    owned.take(0);
    owned.load(0, [backlog({ position: 3, head: 3 })]);
    owned.note(lane, { ...facts, folded: 2 });
    expect([owned.noteHead(0, 'app-1', 5), pendings()]).toEqual([true, [4]]);
  });

  test('have none by a head that is known', () => {
    const { owned, pendings } = makeOwned();
    owned.take(0);
    owned.load(0, [backlog({ position: 3, head: 3 })]);
    expect([owned.noteHead(0, 'app-1', 3), pendings()]).toEqual([false, []]);
  });

  test('have what was appended while their backlogs were read', () => {
    const { owned, pendings } = makeOwned();
    owned.take(0);
    owned.noteHead(0, 'app-1', 4);
    owned.load(0, [backlog({ position: 3, head: 3 })]);
    expect(pendings()).toEqual([1]);
  });

  test('begin again with a store that has gone back', () => {
    const { owned, pendings } = makeOwned();
    owned.take(0);
    owned.load(0, [backlog({ position: 9, head: 9 })]);
    owned.reload(0);
    expect(owned.isLoaded(0)).toBe(false);
    owned.load(0, [backlog({ position: 2, head: 2 })]);
    expect([owned.noteHead(0, 'app-1', 3), pendings()]).toEqual([true, [1]]);
  });

  test('have work again that was withheld, once', () => {
    const { owned, work } = makeOwned();
    owned.take(0);
    owned.load(0, [backlog()]);
    const replay = { ...lane, partition: 'replay' as const };
    owned.withhold(lane, 0);
    owned.withhold(lane, 0);
    owned.withhold(replay, 0);
    owned.tellWithheld(0);
    owned.tellWithheld(0);
    expect(work).toEqual([
      { lane, pending: 1 },
      { lane: replay, pending: 1 },
    ]);
  });

  test('have no work that is told once they are given', () => {
    const { owned, pendings } = makeOwned();
    owned.take(0);
    owned.load(0, [backlog()]);
    owned.give(0);
    owned.load(0, [backlog({ pending: 1 })]);
    owned.tellReplay(0, 'app-1', 'hook', 1);
    expect([owned.noteHead(0, 'app-1', 3), pendings(), owned.owned]).toEqual([false, [], []]);
  });
});
