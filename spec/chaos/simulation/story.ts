import fc from 'fast-check';
import type { Behaviour } from '../../support/receiver.ts';

export const seatCount = 8;
export const slotCount = 3;
export const channels = ['plain-a', 'private-a', 'presence-a', 'presence-b'] as const;
export const endpoints = ['one', 'rooms', 'two'] as const;
export type EndpointName = (typeof endpoints)[number];

/** What clients do. A seat without a connection gets one, on that node or the next that lives. */
export type ClientStep =
  | { readonly do: 'join'; readonly seat: number; readonly channel: string; readonly node: number }
  | { readonly do: 'leave' | 'flap'; readonly seat: number; readonly channel: string }
  | { readonly do: 'close' | 'cut'; readonly seat: number }
  /** Is cut off, and comes back to a node at once with all its channels. */
  | { readonly do: 'reconnect'; readonly seat: number; readonly node: number };

/** What happens to that node, or to the next that lives. */
export type NodeFault =
  /** Without a word; its clients stay away, or come back to other nodes at once. */
  | { readonly do: 'kill'; readonly node: number; readonly flee: boolean }
  | { readonly do: 'stop'; readonly node: number }
  /** Nothing of it runs for so long. */
  | { readonly do: 'pause'; readonly node: number; readonly ms: number }
  | { readonly do: 'cut link'; readonly node: number; readonly ms: number }
  /** What is sent either way arrives when it is over. */
  | { readonly do: 'stall link'; readonly node: number; readonly ms: number }
  | { readonly do: 'lose answers' | 'lose requests'; readonly node: number; readonly count: number };

export type StoreFault =
  | { readonly do: 'store away'; readonly ms: number }
  | { readonly do: 'wipe' }
  /** Away for a moment, and without what was written last. */
  | { readonly do: 'fail over'; readonly lostMs: number; readonly ms: number };

type OtherStep =
  | { readonly do: 'wait'; readonly ms: number }
  /** A new node in a free slot. */
  | { readonly do: 'start' }
  /** Between an endpoint's 2xx and the acknowledgement: whoever posts next. */
  | { readonly do: 'kill at take'; readonly endpoint: EndpointName }
  | { readonly do: 'endpoint'; readonly endpoint: EndpointName; readonly behaviour: Behaviour };

export type Step = (ClientStep | NodeFault | StoreFault | OtherStep) & {
  /** Before the next one. */
  readonly thenMs: number;
};

const seat = fc.nat(seatCount - 1);
const node = fc.nat(slotCount - 1);
const channel = fc.constantFrom(...channels);
const endpoint = fc.constantFrom(...endpoints);
/** Within a script's way to the store, behind it, and behind the cleanup. */
const thenMs = fc.constantFrom(0, 1, 2, 20, 20, 20);
/** Shorter than a lease, just as long, far longer. */
const outageMs = fc.constantFrom(300, 3_000, 7_000, 9_000, 14_000);
const behaviours: readonly Behaviour[] = [
  { kind: 'ok' },
  { kind: 'refuse' },
  { kind: 'reset' },
  { kind: 'hang' },
  { kind: 'status', status: 500 },
  { kind: 'status', status: 404 },
  { kind: 'slow', ms: 1_000 },
  { kind: 'slow', ms: 60_000 },
  { kind: 'die' },
];

const clientStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('join'), seat, channel, node, thenMs }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('leave'), seat, channel, thenMs }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('flap'), seat, channel, thenMs }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('close'), seat, thenMs }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('cut'), seat, thenMs }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('reconnect'), seat, node, thenMs }) },
);

/** Shorter than the grace, nearly the grace, longer, as long as a lease. */
const wait = fc.record({
  do: fc.constant('wait'),
  ms: fc.constantFrom(250, 1_000, 2_900, 3_300, 8_000, 12_000),
  thenMs: fc.constant(0),
});

const fault: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('kill'), node, flee: fc.boolean(), thenMs }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('kill at take'), endpoint, thenMs }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pause'), node, ms: outageMs, thenMs }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('stop'), node, thenMs }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('start'), thenMs }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('store away'), ms: outageMs, thenMs }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wipe'), thenMs }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('fail over'),
      lostMs: fc.constantFrom(5, 100, 3_000),
      ms: fc.constantFrom(10, 1_000),
      thenMs,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cut link'), node, ms: outageMs, thenMs }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('stall link'), node, ms: outageMs, thenMs }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('lose answers', 'lose requests'),
      node,
      count: fc.integer({ min: 1, max: 3 }),
      thenMs,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('endpoint'),
      endpoint,
      behaviour: fc.constantFrom(...behaviours),
      thenMs,
    }),
  },
);

export const story: fc.Arbitrary<readonly Step[]> = fc.array(
  fc
    .oneof(
      { weight: 26, arbitrary: clientStep },
      { weight: 6, arbitrary: wait },
      { weight: 9, arbitrary: fault },
    )
    .map((step) => Object.assign(step, { [fc.toStringMethod]: () => textOf(step) })),
  { minLength: 1, maxLength: 40, size: 'max' },
);

function textOf({ thenMs: waitsMs, ...step }: Step): string {
  const { do: what, ...rest } = step;
  const details = Object.entries(rest).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  return [what, ...details, ...(waitsMs > 0 ? [`then ${waitsMs} ms`] : [])].join(' ');
}
