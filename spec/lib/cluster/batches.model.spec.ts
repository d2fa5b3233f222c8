import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { elapse, useVirtualTime } from '../../support/virtual-time.ts';
import type { Fault } from './fake-link.ts';
import { nodeOn } from './fake-node.ts';

beforeEach(() => useVirtualTime());
afterEach(() => {
  jest.useRealTimers();
});

const partitions = 2;
/** Where the store loses batches, and where it fences: one that does both has no batch left that it could ask for. */
const losing = 0;
const fencing = 1;

type Step =
  | { readonly kind: 'say'; readonly partition: number; readonly howMany: number; readonly isUrgent: boolean }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'down' | 'up' | 'hold' | 'release' }
  | { readonly kind: 'lose'; readonly howMany: number }
  | { readonly kind: 'fence' }
  | { readonly kind: 'expire'; readonly partition: number };

const partition = fc.nat(partitions - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('say' as const),
      partition,
      howMany: fc.integer({ min: 1, max: 90 }),
      isUrgent: fc.boolean(),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 30, 300, 700) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('down' as const, 'up' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('hold' as const, 'release' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('lose' as const),
      howMany: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('fence' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('expire' as const), partition }) },
);
const faults = fc.array(
  fc.constantFrom<Fault | undefined>(undefined, undefined, 'request-lost', 'reply-lost'),
  {
    maxLength: 30,
  },
);

type Opened = ReturnType<typeof nodeOn>;

/** Everything a node says, with everything that can go wrong; what was said is in `said`. */
async function play({ node, link, store, source }: Opened, steps: readonly Step[]) {
  const said: string[][] = Array.from({ length: partitions }, () => []);
  let count = 0;
  const say = ({ partition, howMany, isUrgent }: Step & { readonly kind: 'say' }): void => {
    for (let i = 0; i < howMany; i++) {
      const text = `${partition}:${count++}`;
      said[partition]?.push(text);
      source.add(partition, text, { isUrgent });
    }
    node.poke(partition);
  };
  for (const next of steps) {
    if (next.kind === 'say') say(next);
    else if (next.kind === 'wait') await elapse(next.ms);
    else if (next.kind === 'down' || next.kind === 'up') link.up$.next(next.kind === 'up');
    else if (next.kind === 'lose') store.loseBatches(losing, node.holderOf(losing), next.howMany);
    else if (next.kind === 'fence') store.fence(fencing, node.holderOf(fencing));
    else if (next.kind === 'expire') store.of(next.partition).leases.set(node.holderOf(next.partition), 1);
    else if (next.kind === 'hold') link.holds = ({ script }) => script === 'apply';
    else {
      link.holds = () => false;
      link.release();
    }
  }
  link.up$.next(true);
  link.holds = () => false;
  link.faultOf = () => undefined;
  link.release();
  await elapse(10_000);
  return said;
}

/** Each text once, where it stands first. */
const firsts = (texts: readonly string[]): readonly string[] => [...new Set(texts)];

describe('whatever fails', () => {
  test('every group is applied in order, and answered once, in order', async () => {
    const coverage = { replays: 0, anew: 0, away: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), faults, async (steps, given) => {
        const opened = nodeOn({ partitions });
        const { node, link, store, source } = opened;
        await node.open();
        let calls = 0;
        link.faultOf = () => given[calls++];
        const said = await play(opened, steps);
        for (const [p, texts] of said.entries()) {
          expect(source.answers.filter((reply) => reply.startsWith(`ok:${p}:`))).toEqual(
            texts.map((text) => `ok:${text}`),
          );
          expect(firsts(store.textsOf(p))).toEqual(texts);
          const numbers = store.of(p).batches.get(node.holderOf(p))?.number ?? 0;
          expect(store.of(p).applied.filter(({ holder }) => holder === node.holderOf(p))).toHaveLength(
            numbers,
          );
        }
        coverage.replays += node.metrics.replays;
        coverage.anew += node.metrics.begunAnew.fenced + node.metrics.begunAnew.lost;
        coverage.away += source.log.filter((line) => line === 'away').length;
        await node.close();
      }),
      { numRuns: 150 },
    );
    expect(Math.min(coverage.replays, coverage.anew, coverage.away)).toBeGreaterThan(10);
  });
});
