import { describe, expect, jest, test } from '@jest/globals';
import { map, Subject } from 'rxjs';
import { defineStage, type SlotStage } from '../../lib/stages/define-stage.ts';
import { maxWaitingEvents } from '../../lib/stages/publish/check.ts';
import { runPipeline } from '../../lib/stages/runner.ts';
import { publish } from '../../pipelines/publish.ts';
import { marbles } from '../lib/flow/marbles.ts';
import { settled } from '../lib/flow/promises.ts';
import { specParts } from '../lib/spec-parts.ts';
import { promised } from '../lib/stages/event-run.ts';
import { runNode, storyOf } from './running-node.ts';

const slot = 'publish:accepted';
const hi = { name: 'hi', channel: 'room', data: 'there' };

/** A node with one subscriber of `room`, and a publisher. */
function open(stages: readonly SlotStage[] = [], app: object = {}) {
  const node = runNode({ stages, app: { ...app } });
  const { parts } = node;
  const client = node.open();
  client.subscribe('room');
  client.transport.take();
  const answers: (readonly [status: number, body: unknown])[] = [];
  const respond = (status: number, body: string): void => {
    answers.push([status, JSON.parse(body)]);
  };
  const post = (body: unknown, isBatch = false): void => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    parts.publishes.next({ app: parts.apps.byId('app-1')!, isBatch, body: Buffer.from(text), respond });
  };
  /** What the subscriber has, as channel and data. */
  const delivered = (): readonly string[] => {
    const channel = parts.channels.find('app-1', 'room');
    if (channel !== undefined) parts.fanout.flushChannel(channel);
    return client.transport.frames.map((text) => (JSON.parse(text) as { data: string }).data);
  };
  return { ...node, client, answers, post, delivered };
}

test('the story of a publish is this one', () => {
  expect(storyOf(publish)).toEqual([
    'check',
    'answer',
    'split-by-channel',
    'in order by publishLanes',
    '[publish:accepted]',
    'remember',
    'fan-out',
  ]);
});

test('every publisher is answered when it asks', () => {
  marbles(({ hot, expectObservable, flush }) => {
    const { parts } = specParts();
    const statuses$ = new Subject<number>();
    const bodies = { p: JSON.stringify(hi), x: 'no json', m: '{"name":"hi","channel":"room"}' };
    const source = '   -p-x-m-(pp)-';
    const expected = ' -o-b-b-(oo)-';
    const received$ = hot(source, bodies).pipe(
      map((text) => ({
        app: parts.apps.byId('app-1')!,
        isBatch: false,
        body: Buffer.from(text),
        respond: (status: number) => statuses$.next(status),
      })),
    );
    expectObservable(statuses$).toBe(expected, { o: 200, b: 400 });
    runPipeline(publish, received$, parts, { signal: new AbortController().signal });
    flush();
  });
});

describe('an event', () => {
  test('is delivered to the subscribers of its channel', () => {
    const { post, delivered } = open();
    post(hi);
    expect(delivered()).toEqual(['there']);
  });

  test('is delivered once to each channel it names', () => {
    const { post, client, parts } = open();
    client.subscribe('hall');
    post({ name: 'hi', channels: ['room', 'hall', 'room'], data: '' });
    expect(parts.fanout.depth).toBe(2);
  });

  test('is not delivered to the connection that sent it', () => {
    const { post, client, delivered } = open();
    post({ ...hi, socket_id: client.socketId });
    expect(delivered()).toEqual([]);
  });

  test('is answered before it is delivered', () => {
    const { post, answers, parts } = open();
    const order: string[] = [];
    jest.spyOn(parts.bus, 'publish').mockImplementation(() => void order.push(`${answers.length} answers`));
    post(hi);
    expect(order).toEqual(['1 answers']);
  });

  test('of a cache channel is remembered', () => {
    const { post, parts } = open();
    post({ ...hi, channel: 'cache-room' });
    expect(parts.cachedEvents.recall('app-1', 'cache-room')).toMatchObject({ event: 'hi', data: 'there' });
  });

  test('of any other channel is not remembered', () => {
    const { post, parts } = open();
    post(hi);
    expect(parts.cachedEvents.recall('app-1', 'room')).toBeUndefined();
  });
});

describe('an answer', () => {
  test('is an empty object', () => {
    const { post, answers } = open();
    post(hi);
    expect(answers).toEqual([[200, {}]]);
  });

  test('has the counts that were asked for', () => {
    const { post, answers, client } = open([], { subscriptionCount: true });
    client.subscribe('presence-x', 'ada');
    const info = 'subscription_count,user_count';
    post({ name: 'hi', channels: ['room', 'presence-x', 'empty'], data: '', info });
    expect(answers).toEqual([
      [
        200,
        {
          channels: {
            room: { subscription_count: 1 },
            'presence-x': { user_count: 1, subscription_count: 1 },
            empty: { subscription_count: 0 },
          },
        },
      ],
    ]);
  });

  test('to a batch has the counts of each event', () => {
    const { post, answers } = open([], { subscriptionCount: true });
    post({ batch: [{ ...hi, info: 'subscription_count' }, hi] }, true);
    expect(answers).toEqual([[200, { batch: [{ subscription_count: 1 }, {}] }]]);
  });

  test('that waits for counts does not hold up the delivery', () => {
    const { post, answers, delivered, parts } = open([], { subscriptionCount: true });
    jest.spyOn(parts.membership, 'channel').mockReturnValue(promised<undefined>().promise);
    post({ ...hi, info: 'subscription_count' });
    expect([answers, delivered()]).toEqual([[], ['there']]);
  });

  test('says so when the counts cannot be had', async () => {
    const { post, answers, parts } = open([], { subscriptionCount: true });
    jest.spyOn(parts.membership, 'channel').mockReturnValue(Promise.reject(new Error('away')));
    post({ ...hi, info: 'subscription_count' });
    await settled();
    expect(answers).toEqual([[500, expect.objectContaining({ code: 'internal' })]]);
  });
});

describe('a request is refused', () => {
  test.each([
    ['that is no JSON', '{', false, 'http.malformed-json'],
    ['that is a list', '[]', false, 'http.malformed-json'],
    ['without a name', { channel: 'room', data: '' }, false, 'http.missing-parameter'],
    ['without data', { name: 'hi', channel: 'room' }, false, 'http.missing-parameter'],
    ['without a channel', { name: 'hi', data: '' }, false, 'http.missing-parameter'],
    ['to no channels', { name: 'hi', data: '', channels: [] }, false, 'http.missing-parameter'],
    ['to a name that is none', { ...hi, channel: 'no room' }, false, 'http.invalid-parameter'],
    ['with a reserved name', { ...hi, name: 'pusher:hi' }, false, 'http.reserved-event'],
    ['with too much data', { ...hi, data: 'x'.repeat(10_241) }, false, 'http.data-too-large'],
    ['with too many channels', { ...hi, channels: Array(101).fill('room') }, false, 'http.too-many-channels'],
    ['without a batch', hi, true, 'http.missing-parameter'],
    ['with a batch that is none', { batch: 'hi' }, true, 'http.invalid-parameter'],
    ['with too large a batch', { batch: Array(11).fill(hi) }, true, 'http.batch-too-large'],
  ])('%s', (_, body, isBatch, code) => {
    const { post, answers } = open();
    post(body, isBatch);
    expect(answers.map(([, answer]) => (answer as { code: string }).code)).toEqual([code]);
  });

  test('whole: nothing of a batch is delivered when one of its events is wrong', () => {
    const { post, delivered } = open();
    post({ batch: [hi, { ...hi, name: 'pusher:hi' }] }, true);
    expect(delivered()).toEqual([]);
  });

  test('while too many events wait, to come back', () => {
    const { post, answers, parts } = open();
    jest.spyOn(parts.publishLanes, 'depth', 'get').mockReturnValue(maxWaitingEvents);
    post(hi);
    expect(answers).toEqual([[503, expect.objectContaining({ code: 'http.overloaded' })]]);
  });
});

describe('a stage in the slot', () => {
  test('changes what is delivered', () => {
    const shout = defineStage({ name: 'shout', slot, map: (e) => ({ ...e, data: e.data.toUpperCase() }) });
    const { post, delivered } = open([shout]);
    post(hi);
    expect(delivered()).toEqual(['THERE']);
  });

  test('changes what is remembered', () => {
    const shout = defineStage({ name: 'shout', slot, map: (e) => ({ ...e, data: e.data.toUpperCase() }) });
    const { post, parts } = open([shout]);
    post({ ...hi, channel: 'cache-room' });
    expect(parts.cachedEvents.recall('app-1', 'cache-room')).toMatchObject({ data: 'THERE' });
  });

  test('that throws loses its event; the publisher was answered already', () => {
    const broken = defineStage({
      name: 'broken',
      slot,
      map: (event) => {
        if (event.data === 'there') throw new Error('broken');
        return event;
      },
    });
    const { post, answers, delivered } = open([broken]);
    post(hi);
    post({ ...hi, data: 'again' });
    expect([answers, delivered()]).toEqual([
      [
        [200, {}],
        [200, {}],
      ],
      ['again'],
    ]);
  });

  test('that takes its time keeps the order of each channel', async () => {
    const answers = [promised<void>(), promised<void>()];
    let asked = 0;
    const wait = defineStage({ name: 'wait', slot, map: (e) => answers[asked++]!.promise.then(() => e) });
    const { post, delivered } = open([wait]);
    post({ ...hi, data: '1' });
    post({ ...hi, data: '2' });
    answers[1]!.resolve();
    await settled();
    const before = delivered();
    answers[0]!.resolve();
    await settled();
    expect([before, delivered()]).toEqual([[], ['1', '2']]);
  });
});
