import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { MemoryOutbox } from '../../../../lib/outbox/memory/memory-outbox.ts';
import { isLifecycle } from '../../../../lib/outbox/outbox-event.ts';
import { actionsOf, laneOf, memoryOutbox, now } from '../memory-outbox.ts';
import { endpoint, inWords } from '../open-outbox.ts';

describe('a spool', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const both = [endpoint('hook'), endpoint('slow')];
  /** An outbox in which everything that can be has happened. */
  function used() {
    const opened = memoryOutbox({ graceMs: 1_000 }, both);
    const { outbox, occupy, vacate, say, record, deliver } = opened;
    const [hook, slow] = [laneOf('hook'), laneOf('slow')];
    occupy('gone', 'here');
    outbox.lifecycle.memberAdded('app-1', 'here', 'ada');
    vacate('gone');
    outbox.settle();
    say('1', '2', '3');
    deliver(slow);
    outbox.deadLetter(hook, record(hook, 5), '400');
    const id = record(hook, 1);
    outbox.failed(hook, id, { reason: '503', isRefusal: false });
    outbox.replay({ appId: 'app-1', endpointId: 'slow' }, 2);
    say('4');
    return opened;
  }
  function restored(lines: Iterable<string>, graceMs = 1_000) {
    const opened = memoryOutbox({ graceMs }, []);
    opened.outbox.restore(lines);
    return { ...opened, ...actionsOf(opened.outbox) };
  }
  const contentOf = (outbox: MemoryOutbox) =>
    (['hook', 'slow'] as const).map((id) => ({
      lane: { ...outbox.read(laneOf(id), 100), token: 0 },
      replay: outbox.read(laneOf(id, 'replay'), 100).events.map(({ event }) => event),
      dead: now(outbox.list({ appId: 'app-1', endpointId: id, state: 'dead' }, 100)).map(
        ({ event, deliveries }) => [event, deliveries.filter(({ endpointId }) => endpointId === id)],
      ),
    }));
  const withoutPositions = (content: ReturnType<typeof contentOf>) =>
    content.map(({ lane: { events, ...lane }, ...rest }) => ({
      ...rest,
      ...lane,
      events: events.map(({ event }) => event),
    }));

  test('brings back what endpoints have yet to be told, recorded batches byte for byte', () => {
    const { outbox } = used();
    const again = restored(outbox.spool());
    again.open(...both);
    expect(withoutPositions(contentOf(again.outbox))).toEqual(withoutPositions(contentOf(outbox)));
    expect(again.outbox.read(again.lane, 1).batch).toMatchObject({ failures: 1, lastFailure: '503' });
    expect(again.outbox.undelivered).toBe(outbox.undelivered);
  });

  test('brings the same back a second time', () => {
    const lines = [...used().outbox.spool()];
    const again = restored(lines);
    again.open(...both);
    expect([...again.outbox.spool()].toSorted()).toEqual([...lines].toSorted());
  });

  test('brings back what was folded', () => {
    const { outbox, occupy, vacate } = memoryOutbox({ maxBytesPerApp: 3_000 });
    occupy('x', 'y');
    vacate('x');
    for (let n = 0; n < 50; n++) {
      occupy(`channel-${n}`);
      vacate(`channel-${n}`);
    }
    const told = actionsOf(outbox).pending(laneOf('hook'));
    expect(told.map(inWords)).toContain('left out 2');
    const again = restored(outbox.spool());
    expect(again.pending(again.lane)).toEqual(told);
  });

  test('lets seq and epoch of every channel go on', () => {
    const before = used();
    const again = restored(before.outbox.spool());
    again.open(...both);
    const epochs = new Map(
      now(before.outbox.list({ appId: 'app-1' }, 100)).flatMap(({ event }) =>
        isLifecycle(event) ? [[event.channel, event.epoch]] : [],
      ),
    );
    again.occupy('gone', 'here');
    again.outbox.lifecycle.memberAdded('app-1', 'here', 'bob');
    const told = again.pending(laneOf('slow')).filter(isLifecycle);
    expect(told.map(({ channel, epoch, seq }) => [channel, epoch, seq])).toEqual([
      ['gone', epochs.get('gone'), 3],
      ['here', epochs.get('here'), 3],
    ]);
  });

  test('brings back the last seq each endpoint was sent', () => {
    const again = restored(used().outbox.spool());
    again.open(...both);
    again.occupy('gone');
    expect(again.outbox.read(laneOf('slow'), 100).sent.get('gone')).toMatchObject({ seq: 2 });
  });

  test('lets whoever was there come back within the grace, and tells the others’ leave', () => {
    const again = restored(used().outbox.spool());
    again.open(...both);
    again.occupy('here');
    again.clock.advance(1_000);
    jest.advanceTimersByTime(1_000);
    expect(again.pending(laneOf('slow')).map(inWords).slice(1)).toEqual(['member_removed ada']);
  });

  test('tells every leave at once without a grace, to endpoints that are not open yet', () => {
    const again = restored(used().outbox.spool(), 0);
    again.open(...both);
    expect(again.pending(laneOf('slow')).map(inWords).slice(1)).toEqual([
      'member_removed ada',
      'channel_vacated',
    ]);
  });

  test('tells of work when its endpoints open', () => {
    const again = restored(used().outbox.spool());
    again.open(...both);
    expect([...again.lanes.keys()].sort()).toEqual(['app-1 hook 0', 'app-1 slow 0', 'app-1 slow replay']);
  });

  test('keeps the time since which an endpoint is not configured', () => {
    const { outbox, open } = used();
    open(endpoint('hook'));
    const closed = (lines: Iterable<string>) => [...lines].filter((line) => line.includes('closedAtMs":1'));
    expect(closed(outbox.spool()).length).toBe(1);
    const again = restored(outbox.spool());
    again.clock.advance(5);
    again.open(endpoint('hook'));
    expect(closed(again.outbox.spool())).toEqual(closed(outbox.spool()));
  });

  test('of an outbox without anything is read as nothing', () => {
    const lines = [...memoryOutbox({}, []).outbox.spool()];
    expect([lines.length, restored(lines).outbox.undelivered]).toEqual([2, 0]);
  });

  describe('is refused, and nothing of it left out in silence,', () => {
    const head = '{"line":"spool","version":1,"partitions":1}';
    const end = (lines: number) => JSON.stringify({ line: 'end', lines });
    test.each([
      ['when it is empty', [], 'line 1: the spool ends here'],
      ['when its end is missing', [head], 'line 2: the spool ends here'],
      ['when a line in between is missing', [head, end(2)], 'line 2: 2 lines should stand before it'],
      ['when something follows its end', [head, end(1), end(2)], 'line 3: it stands behind the end'],
      ['when a line is no JSON', [head, '{"line":'], 'line 2: '],
      ['when a line is no object', [head, '7'], 'line 2: it is not a JSON object'],
      [
        'when a line is of an unknown kind',
        [head, '{"line":"poem"}'],
        'line 2: it begins no known kind of line (poem)',
      ],
      [
        'when a field is missing',
        [head, '{"line":"endpoint","appId":"a"}'],
        'line 2: endpointId is not of the type string',
      ],
      [
        'when an event has no id',
        [head, '{"line":"event","event":{"kind":"cache_miss"}}'],
        'line 2: id is not of the type',
      ],
      [
        'when it does not begin with its version',
        [end(0)],
        'line 1: a spool has its version in the first line',
      ],
      [
        'when its format is another',
        ['{"line":"spool","version":2,"partitions":1}'],
        'format is version 2, not 1',
      ],
      [
        'when it has other partitions',
        ['{"line":"spool","version":1,"partitions":16}'],
        'cluster.partitions 16, not 1',
      ],
      [
        'when an endpoint was not named',
        [head, '{"line":"lane","appId":"a","endpointId":"b","partition":0,"behind":0}'],
        'endpoint b was not named before',
      ],
      [
        'when there is no such partition',
        [
          head,
          '{"line":"endpoint","appId":"a","endpointId":"b","closedAtMs":null}',
          '{"line":"lane","appId":"a","endpointId":"b","partition":7,"behind":0}',
        ],
        'there is no partition 7',
      ],
    ])('%s', (_, lines, problem) => {
      expect(() => restored(lines)).toThrow(problem);
      expect(() => restored(lines)).toThrow(expect.objectContaining({ code: 'outbox.spool-unreadable' }));
    });
  });
});
