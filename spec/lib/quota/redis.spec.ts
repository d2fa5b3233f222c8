import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import type { MaybePromise } from '../../../lib/flow/maybe-promise.ts';
import { RedisConnectionQuota } from '../../../lib/quota/redis.ts';
import { type Reply, StoreAway } from '../../../lib/redis/store-link.ts';
import { type Call, FakeLink } from '../fake-link.ts';
import { settled } from '../flow/promises.ts';

const app = 'app-1';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

/** What the script `quota` does, for one partition. */
class QuotaStore {
  readonly shares = new Map<string, number>();
  readonly fenced = new Set<string>();
  readonly links: FakeLink[] = [];
  #lastAskedMs = Number.NEGATIVE_INFINITY;

  get total(): number {
    let total = 0;
    for (const [holder, share] of this.shares) if (!this.fenced.has(holder)) total += share;
    return total;
  }

  answer({ args }: Call): Reply {
    const [holder, appId, used, want, limit] = args as [string, string, number, number, number];
    if (used === 0 && want === 0) {
      this.shares.delete(holder);
      return ['OK', 0, 0];
    }
    if (this.fenced.has(holder)) return ['FENCED'];
    const others = this.total - (this.shares.get(holder) ?? 0);
    const share = Math.max(used, Math.min(want, limit - others));
    this.shares.set(holder, share);
    if (share === used && want > used && others > 0 && Date.now() >= this.#lastAskedMs + 1_000) {
      this.#lastAskedMs = Date.now();
      for (const { messages$ } of this.links)
        messages$.next({ partition: 0, name: 'sys', message: `q${appId}` });
    }
    return ['OK', share, others];
  }
}

function openNode(store: QuotaStore, name: string, delayMs = () => 1) {
  const link = new FakeLink();
  const failures: unknown[] = [];
  const node = { holder: `${name}.1`, holderOf: () => node.holder };
  let lastMs = 0;
  // One connection: what is asked later is done later.
  link.answer = (call) =>
    new Promise((resolve) => {
      lastMs = Math.max(lastMs, Date.now() + delayMs());
      setTimeout(() => {
        const reply = store.answer(call);
        setTimeout(() => resolve(reply), delayMs());
      }, lastMs - Date.now());
    });
  store.links.push(link);
  const quota = new RedisConnectionQuota({ link, node, onFailed: (error) => failures.push(error) });
  return { link, node, quota, failures };
}

const all = (answers: readonly MaybePromise<boolean>[]): Promise<readonly boolean[]> =>
  Promise.all(answers.map((answer) => Promise.resolve(answer)));

async function elapse(ms: number): Promise<void> {
  await jest.advanceTimersByTimeAsync(ms);
  await settled();
}

function openOne() {
  const store = new QuotaStore();
  const opened = openNode(store, 'n1');
  const acquire = async (limit: number, count = 1): Promise<readonly boolean[]> => {
    const answers = Array.from({ length: count }, () => opened.quota.acquire(app, limit));
    await elapse(500);
    return all(answers);
  };
  return { store, ...opened, acquire };
}

describe('a quota that nodes share', () => {
  test('asks for the first connection, for as many as wait, then counts by itself', async () => {
    const { link, quota, acquire } = openOne();
    expect(await acquire(100, 20)).toEqual(Array.from({ length: 20 }, () => true));
    expect(link.calls.map(({ script, args }) => [script, ...args])).toEqual([
      ['quota', 'n1.1', app, 0, 1, 100],
      ['quota', 'n1.1', app, 1, 20, 100],
    ]);
    void quota.release(app, 5);
    expect([quota.acquire(app, 100), link.calls.length, quota.used(app)]).toEqual([true, 2, 16]);
  });

  test('asks for a tenth more than it uses', async () => {
    const { link, acquire } = openOne();
    await acquire(1_000, 101);
    await acquire(1_000);
    expect(link.calls.at(-1)!.args).toEqual(['n1.1', app, 101, 112, 1_000]);
  });

  test('refuses at once when this node alone has as many as the limit says', async () => {
    const { link, quota, acquire } = openOne();
    await acquire(2, 2);
    const { length } = link.calls;
    expect([quota.acquire(app, 2), link.calls.length]).toEqual([false, length]);
  });

  test('counts connections without a limit, and asks with them later', async () => {
    const { link, quota, acquire } = openOne();
    expect([quota.acquire(app, 0), quota.acquire(app, 0), link.calls.length]).toEqual([true, true, 0]);
    expect([await acquire(2), await acquire(3)]).toEqual([[false], [true]]);
    expect(link.calls.at(-1)!.args.slice(2)).toEqual([2, 3, 3]);
  });

  test('answers in the order of the calls, releases among them', async () => {
    const { quota } = openOne();
    const order: string[] = [];
    const note = (name: string) => (answer: unknown) => order.push(`${name} ${String(answer)}`);
    void Promise.resolve(quota.acquire(app, 1)).then(note('a'));
    void Promise.resolve(quota.acquire(app, 1)).then(note('b'));
    void Promise.resolve(quota.release(app, 1)).then(note('release'));
    void Promise.resolve(quota.acquire(app, 1)).then(note('c'));
    await elapse(50);
    expect(order).toEqual(['a true', 'b false', 'release undefined', 'c true']);
  });

  test('forgets an app that nobody is connected to, and gives its share back', async () => {
    const { store, link, quota, acquire } = openOne();
    await acquire(5, 3);
    void quota.release(app, 3);
    await elapse(5_100);
    expect([link.calls.at(-1)!.args.slice(2, 4), store.shares.size, quota.shares]).toEqual([[0, 0], 0, 0]);
    const { length } = link.calls;
    await elapse(60_000);
    expect(link.calls.length).toBe(length);
  });

  test('gives back every five seconds what is more than twice its step', async () => {
    const { store, link, quota, acquire } = openOne();
    await acquire(100, 50);
    void quota.release(app, 30);
    await elapse(5_100);
    expect([link.calls.at(-1)!.args.slice(2, 4), store.total, quota.shares]).toEqual([[20, 22], 22, 22]);
  });

  test('keeps a small surplus without a command', async () => {
    const { link, quota, acquire } = openOne();
    await acquire(100, 10);
    void quota.release(app, 1);
    const { length } = link.calls;
    await elapse(60_000);
    expect(link.calls.length).toBe(length);
  });

  test('refuses what waits beyond ten thousand', async () => {
    const { quota } = openOne();
    const answers = Array.from({ length: 10_001 }, () => quota.acquire(app, 20_000));
    expect([answers.at(-1), quota.overflows, quota.waiting]).toEqual([false, 1, 10_000]);
    await elapse(100);
    expect((await all(answers)).filter(Boolean).length).toBe(10_000);
  });

  test('asks no more after the end', async () => {
    const { link, quota, acquire } = openOne();
    await acquire(100, 50);
    void quota.release(app, 50);
    quota.close();
    const { length } = link.calls;
    await elapse(60_000);
    expect(link.calls.length).toBe(length);
  });
});

describe('when the store is away', () => {
  test('the share is the limit', async () => {
    const { link, quota, acquire } = openOne();
    await acquire(10, 5);
    void quota.release(app, 2);
    link.up$.next(false);
    expect([quota.acquire(app, 10), quota.acquire(app, 10), quota.acquire(app, 10)]).toEqual([
      true,
      true,
      false,
    ]);
    expect(quota.acquire('app-2', 10)).toBe(false);
  });

  test('whoever waits is refused, and those behind a release are not', async () => {
    const { link, quota, acquire } = openOne();
    await acquire(10, 5);
    link.answer = () => Promise.reject(new StoreAway('cut'));
    const first = quota.acquire(app, 10);
    void quota.release(app, 1);
    const second = quota.acquire(app, 10);
    await elapse(10);
    expect([await first, await second, quota.used(app)]).toEqual([false, true, 5]);
  });

  test('what could not be given back is not used either', async () => {
    const { store, link, quota, acquire } = openOne();
    await acquire(100, 50);
    void quota.release(app, 50);
    const { answer } = link;
    link.answer = () => Promise.reject(new StoreAway('cut'));
    await elapse(5_100);
    expect([quota.shares, store.total]).toEqual([0, 50]);
    link.answer = answer;
    expect([await acquire(100), store.total]).toEqual([[true], 1]);
  });
});

describe('a script that fails', () => {
  test('fails those that wait, not the releases among them', async () => {
    const { link, quota } = openOne();
    link.answer = () => Promise.reject(new Error('ERR script'));
    const asked = Promise.allSettled([quota.acquire(app, 5), quota.release(app, 1), quota.acquire(app, 5)]);
    await elapse(10);
    expect((await asked).map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected']);
  });

  test('is told when a share was to be given back', async () => {
    const { link, quota, failures, acquire } = openOne();
    await acquire(100, 50);
    void quota.release(app, 50);
    link.answer = () => ['WHAT'];
    await elapse(5_100);
    expect(failures).toMatchObject([{ message: expect.stringContaining('"quota"') }]);
  });
});

describe('a share that the store may have granted or kept, for all this node knows', () => {
  const loseReplies = ({ link, store }: ReturnType<typeof openOne>): (() => void) => {
    const { answer } = link;
    link.answer = (call) => {
      store.answer(call);
      return Promise.reject(new StoreAway('the reply was lost'));
    };
    return () => {
      link.answer = answer;
    };
  };

  test('is given back, though nobody here wants the app any more', async () => {
    const opened = openOne();
    const end = loseReplies(opened);
    expect(await opened.acquire(100, 40)).not.toContain(true);
    expect(opened.store.total).toBeGreaterThan(0);
    end();
    await elapse(5_100);
    expect([opened.store.total, opened.quota.shares]).toEqual([0, 0]);
  });

  test('is given back once more when that was not answered', async () => {
    const opened = openOne();
    await opened.acquire(100, 40);
    void opened.quota.release(app, 40);
    opened.link.answer = () => Promise.reject(new StoreAway('the request was lost'));
    await elapse(5_100);
    expect(opened.store.total).toBe(40);
    opened.link.answer = (call) => opened.store.answer(call);
    await elapse(5_100);
    expect(opened.store.total).toBe(0);
  });

  test('is asked for again when the store was away, which may have come back without it', async () => {
    const { store, link, acquire } = openOne();
    await acquire(100, 40);
    link.up$.next(false);
    store.shares.clear();
    link.up$.next(true);
    await elapse(5_100);
    expect(store.total).toBeGreaterThanOrEqual(40);
  });
});

describe('a node under a new name', () => {
  test('asks with what it uses, then gives up its former share', async () => {
    const { store, link, node, acquire } = openOne();
    await acquire(10, 5);
    node.holder = 'n1.2';
    expect(await acquire(10)).toEqual([true]);
    expect(link.calls.slice(-3).map(({ args }) => args)).toEqual([
      ['n1.2', app, 5, 6, 10],
      ['n1.1', app, 0, 0, 10],
      ['n1.2', app, 5, 6, 10],
    ]);
    expect([...store.shares]).toEqual([['n1.2', 6]]);
  });

  test('does so within five seconds by itself', async () => {
    const { store, node, acquire } = openOne();
    await acquire(10, 5);
    node.holder = 'n1.2';
    await elapse(5_100);
    expect([...store.shares]).toEqual([['n1.2', 6]]);
  });

  test('without a lease yet asks again a little later, then refuses', async () => {
    const { store, node, quota, acquire } = openOne();
    await acquire(10, 5);
    node.holder = 'n1.2';
    store.fenced.add('n1.2');
    const answer = quota.acquire(app, 10);
    await elapse(50);
    store.fenced.clear();
    await elapse(100);
    expect(await answer).toBe(true);
    store.fenced.add('n1.3');
    node.holder = 'n1.3';
    expect([await acquire(10), quota.used(app)]).toEqual([[false], 6]);
  });
});

describe('several nodes', () => {
  test('never have more than the limit, and the last place is found wherever it is', async () => {
    const store = new QuotaStore();
    const nodes = ['n1', 'n2', 'n3'].map((name) => openNode(store, name));
    const acquire = async (index: number): Promise<boolean> => {
      const answer = nodes[index]!.quota.acquire(app, 9);
      await elapse(300);
      return answer;
    };
    for (let i = 0; i < 8; i++) expect(await acquire(i < 6 ? 0 : 1)).toBe(true);
    void nodes[0]!.quota.release(app, 4);
    await elapse(1_000);
    for (let i = 0; i < 5; i++) {
      expect(await acquire(2)).toBe(true);
      await elapse(1_000);
    }
    expect([await acquire(0), await acquire(1), await acquire(2)]).toEqual([false, false, false]);
    expect(nodes.map(({ quota }) => quota.used(app))).toEqual([2, 2, 5]);
  });

  test('racing, never have more than the limit; each may have all of it when the others have left', async () => {
    const step = fc.record({
      node: fc.nat(2),
      isAcquire: fc.boolean(),
      waitMs: fc.constantFrom(0, 0, 1, 5, 200, 6_000),
      delayMs: fc.nat(20),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.integer({ min: 1, max: 6 }),
        async (steps, limit) => {
          const store = new QuotaStore();
          let delayMs = 0;
          const nodes = ['n1', 'n2', 'n3'].map((name) => openNode(store, name, () => delayMs));
          const open = [0, 0, 0];
          const answers: Promise<void>[] = [];
          for (const each of steps) {
            ({ delayMs } = each);
            const { quota } = nodes[each.node]!;
            if (each.isAcquire) {
              answers.push(
                Promise.resolve(quota.acquire(app, limit)).then((isGranted) => {
                  if (isGranted) open[each.node]!++;
                  expect(open[0]! + open[1]! + open[2]!).toBeLessThanOrEqual(limit);
                }),
              );
            } else if (open[each.node]! > 0) {
              open[each.node]!--;
              void quota.release(app, 1);
            }
            await elapse(each.waitMs);
          }
          await elapse(2_000);
          await Promise.all(answers);
          expect(store.total).toBeLessThanOrEqual(limit);
          for (const [index, { quota }] of nodes.entries()) void quota.release(app, open[index]!);
          await elapse(2_000);
          const asked = Array.from({ length: limit }, () => nodes[0]!.quota.acquire(app, limit));
          await elapse(2_000);
          expect((await all(asked)).every(Boolean)).toBe(true);
          for (const { quota } of nodes) quota.close();
        },
      ),
      { numRuns: 60 },
    );
  });
});
