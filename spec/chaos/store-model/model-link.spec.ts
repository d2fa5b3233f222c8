import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { type Reply, StoreAway, type TopicMessage } from '../../../lib/redis/store-link.ts';
import { elapse, elapseUntil, useVirtualTime } from '../../support/virtual-time.ts';
import { ModelLink, type ModelLinkOptions } from './model-link.ts';
import { ModelStore } from './model-store.ts';

beforeEach(() => useVirtualTime());
afterEach(() => {
  jest.useRealTimers();
});

const storeId = 's1';
const topic = { partition: 0, name: 'sys' };

/** One store, and links to it that note what they hear. */
function network(options: Partial<ModelLinkOptions> = {}) {
  const store = new ModelStore(1);
  const link = () => {
    const made = new ModelLink({ store, ...options });
    const heard: TopicMessage[] = [];
    const ups: boolean[] = [];
    const gaps = { count: 0 };
    made.messages$.subscribe((message) => heard.push(message));
    made.up$.subscribe((isUp) => ups.push(isUp));
    made.gaps$.subscribe(() => (gaps.count += 1));
    return Object.assign(made, { heard, ups, gaps });
  };
  return { store, link };
}

function renew(link: ModelLink, holder: string, lastAcked = 0): Promise<Reply> {
  return link.run('renew', 0, [holder, '', lastAcked, 8_000, 1, storeId, 0, 1, 0, 0]);
}

/** A batch in which a user joins a channel. */
function join(link: ModelLink, holder: string, batch: number, channel: string): Promise<Reply> {
  const group = ['c', 'app', channel, 1, '1', 0, 0, 1, 'ann', '1', 0, '-'];
  return link.run('apply', 0, [holder, storeId, batch, 3_000, 60_000, '', 1, ...group]);
}

/** What became of it within the time. */
async function outcomeOf(call: Promise<unknown>): Promise<unknown> {
  const outcome = call.catch((error: unknown) => error);
  return elapseUntil(outcome);
}

describe('a link that is whole', () => {
  test('answers after the way there and back', async () => {
    const link = network({ delayMs: () => 5 }).link();
    const startMs = Date.now();
    expect(await elapseUntil(renew(link, 'n1.1'))).toEqual(
      ['OK', startMs + 5, storeId, 0, 0, 0, 'n1.1', 0, 1, 'n1.1', 0, 0], // prettier-ignore
    );
    expect(link.ups).toEqual([true]);
  });

  test('keeps the order of the calls whatever the delays are', async () => {
    const delays = [40, 1, 1, 1];
    const link = network({ delayMs: () => delays.shift() ?? 1 }).link();
    const [renewed, joined] = await elapseUntil(
      Promise.all([renew(link, 'n1.1'), join(link, 'n1.1', 1, 'room')]),
    );
    expect(renewed).toContain('OK');
    expect(joined).toEqual(['OK', 0, '1 0 -', 1]);
  });

  test('hands an error of a script to the caller', async () => {
    const link = network().link();
    const outcome = await outcomeOf(link.run('apply', 0, []));
    expect(outcome).toEqual(new Error('a script got 0 arguments and wants more'));
    expect(outcome).not.toBeInstanceOf(StoreAway);
  });

  test('brings what is said on a topic to every node that listens, in order', async () => {
    const { link } = network();
    const [speaker, listener, other] = [link(), link(), link()];
    await elapseUntil(listener.listen([topic]));
    await elapseUntil(other.listen([{ partition: 0, name: 'c:app:room' }]));
    expect([speaker.publish(topic, 'one'), speaker.publish(topic, 'two')]).toEqual([true, true]);
    await elapse(10);
    expect(listener.heard.map(({ message }) => message)).toEqual(['one', 'two']);
    expect(other.heard).toEqual([]);
    await elapseUntil(renew(speaker, 'n1.1'));
    await elapseUntil(join(speaker, 'n1.1', 1, 'room'));
    await elapse(10);
    expect(other.heard).toEqual([
      { partition: 0, name: 'c:app:room', message: 'm{"v":1,"r":[],"a":[["ann","-"]]}' },
    ]);
  });

  test('brings nothing of a topic that is not listened to any more', async () => {
    const link = network().link();
    await elapseUntil(link.listen([topic]));
    link.unlisten([topic]);
    link.publish(topic, 'one');
    await elapse(10);
    expect(link.heard).toEqual([]);
  });

  test('goes on listening when a topic is let go and wanted again at once', async () => {
    const link = network().link();
    await elapseUntil(link.listen([topic]));
    link.unlisten([topic]);
    await elapseUntil(link.listen([topic]));
    link.publish(topic, 'one');
    await elapse(10);
    expect(link.heard).toHaveLength(1);
  });
});

describe('a network that loses something', () => {
  test('a lost request has not run, and its caller gives up after the time limit', async () => {
    const link = network().link();
    await elapseUntil(renew(link, 'n1.1'));
    link.loseRequests(1);
    const startMs = Date.now();
    expect(await outcomeOf(join(link, 'n1.1', 1, 'room'))).toBeInstanceOf(StoreAway);
    expect(Date.now() - startMs).toBeGreaterThanOrEqual(2_000);
    expect(await elapseUntil(join(link, 'n1.1', 1, 'room'))).toEqual(['OK', 0, '1 0 -', 1]);
  });

  test('a script whose answer is lost has run: the same batch is a repeat', async () => {
    const link = network().link();
    await elapseUntil(renew(link, 'n1.1'));
    link.loseAnswers(1);
    expect(await outcomeOf(join(link, 'n1.1', 1, 'room'))).toBeInstanceOf(StoreAway);
    expect(await elapseUntil(join(link, 'n1.1', 1, 'room'))).toEqual(['DUP', 0, '1 0 -', 1]);
  });

  test('a call that takes longer than the time limit still runs', async () => {
    const delays = [1, 1, 3_000];
    const { store, link } = network({ delayMs: () => delays.shift() ?? 1 });
    const slow = link();
    await elapseUntil(renew(slow, 'n1.1'));
    expect(await outcomeOf(join(slow, 'n1.1', 1, 'room'))).toBeInstanceOf(StoreAway);
    expect(store.state(0).channels.size).toBe(0);
    await elapse(1_500);
    expect(store.state(0).channels.size).toBe(1);
  });
});

describe('a link that is cut', () => {
  test('is noticed after a while; then calls are refused at once, and messages too', async () => {
    const link = network().link();
    link.cut();
    const startMs = Date.now();
    expect(link.isUp).toBe(true);
    expect(await outcomeOf(renew(link, 'n1.1'))).toBeInstanceOf(StoreAway);
    expect(Date.now() - startMs).toBeLessThan(500);
    expect(link.ups).toEqual([true, false]);
    await expect(renew(link, 'n1.1')).rejects.toBeInstanceOf(StoreAway);
    expect(link.publish(topic, 'one')).toBe(false);
  });

  test('leaves the links of other nodes alone', async () => {
    const { link } = network();
    const [cut, whole] = [link(), link()];
    cut.cut();
    await elapse(1_000);
    expect(await elapseUntil(renew(whole, 'n2.1'))).toContain('OK');
  });

  test('works again after it healed, tells that messages were missed, and does not bring them', async () => {
    const { link } = network();
    const [cut, speaker] = [link(), link()];
    await elapseUntil(cut.listen([topic]));
    cut.cut();
    await elapse(1_000);
    speaker.publish(topic, 'missed');
    cut.heal();
    await elapse(1_000);
    expect({ ups: cut.ups, gaps: cut.gaps.count }).toEqual({ ups: [true, false, true], gaps: 1 });
    speaker.publish(topic, 'heard');
    await elapse(10);
    expect(cut.heard.map(({ message }) => message)).toEqual(['heard']);
  });

  test('is down for a moment, too, when it heals before anybody noticed', async () => {
    const link = network().link();
    await elapseUntil(link.listen([topic]));
    link.cut();
    link.heal();
    await elapse(1_000);
    expect({ ups: link.ups, gaps: link.gaps.count }).toEqual({ ups: [true, false, true], gaps: 1 });
  });

  test('confirms what it was asked to listen to meanwhile when it is back', async () => {
    const link = network().link();
    link.cut();
    await elapse(1_000);
    const confirmed = jest.fn();
    const listening = link.listen([topic]).then(confirmed);
    await elapse(5_000);
    expect(confirmed).not.toHaveBeenCalled();
    link.heal();
    await elapseUntil(listening);
    link.publish(topic, 'one');
    await elapse(10);
    expect({ heard: link.heard.length, gaps: link.gaps.count }).toEqual({ heard: 1, gaps: 0 });
  });

  test('stays silent when it is closed', async () => {
    const link = network().link();
    await elapseUntil(link.listen([topic]));
    const call = outcomeOf(renew(link, 'n1.1'));
    await link.close();
    expect(await call).toBeInstanceOf(StoreAway);
    await elapse(5_000);
    expect(link.ups).toEqual([true]);
  });
});

describe('a store that loses something', () => {
  test('is empty after a wipe, and its listeners go on hearing', async () => {
    const { store, link } = network();
    const node = link();
    await elapseUntil(node.listen([topic]));
    await elapseUntil(renew(node, 'n1.1'));
    store.wipe();
    expect(await elapseUntil(join(node, 'n1.1', 1, 'room'))).toEqual(['EPOCH', '']);
    node.publish(topic, 'one');
    await elapse(10);
    expect(node.heard).toHaveLength(1);
  });

  test('has after a failover what it had some time ago, and the renewal tells the gap', async () => {
    const { store, link } = network();
    const node = link();
    await elapseUntil(renew(node, 'n1.1'));
    await elapseUntil(join(node, 'n1.1', 1, 'kept'));
    await elapse(1_000);
    await elapseUntil(join(node, 'n1.1', 2, 'lost'));
    store.failOver(Date.now() - 500);
    expect([...store.state(0).channels.keys()]).toEqual(['app:kept']);
    expect(await elapseUntil(renew(node, 'n1.1', 2))).toEqual(['GAP', 1]);
  });

  test('remembers what the last half minute needs, however much is written', () => {
    const store = new ModelStore(1);
    const sizes: number[] = [];
    const run = (second: number): void => {
      const user = ['s', 'app', `user-${second}`, '1', 0];
      store.run('renew', 0, ['n1.1', '', 0, 8_000, 1, storeId, 0, 1, 0, 0], second * 1_000);
      store.run('apply', 0, ['n1.1', storeId, second, 0, 1_000, '', 1, ...user], second * 1_000);
      sizes.push(store.state(0).signedIn.get('app')?.size ?? 0);
    };
    for (let second = 1; second <= 2_000; second++) run(second);
    expect(sizes).toEqual(Array.from({ length: 2_000 }, (_, index) => index + 1));
    store.failOver(1_980_000);
    expect(store.state(0).signedIn.get('app')?.size).toBe(1_980);
  });
});
