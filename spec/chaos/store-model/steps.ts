import fc from 'fast-check';

export const apps = ['one', 'two'] as const;
/** `flags` and limit are those of its groups: 1 counts are announced, 2 an endpoint wants them. */
export const channels = [
  { name: 'plain', isPresence: false, flags: 0, maxUsers: 0 },
  { name: 'counted', isPresence: false, flags: 3, maxUsers: 0 },
  { name: 'presence-open', isPresence: true, flags: 1, maxUsers: 0 },
  { name: 'presence-two', isPresence: true, flags: 2, maxUsers: 2 },
] as const;
export const endpoints = [
  ['one', 'all'],
  ['one', 'rooms'],
  ['two', 'all'],
] as const;
/** A user id may hold what separates the parts of keys. */
export const users = ['ann', 'bob', 'cy:d', '7'] as const;
export const holderCount = 3;

interface At {
  readonly app: number;
  readonly channel: number;
}

/** Part of a batch. Changes of one channel that follow each other are one group, unless the second begins another. */
export type Change =
  | (At & {
      readonly do: 'join' | 'leave';
      readonly user: number;
      readonly by: number;
      readonly begins: boolean;
    })
  | { readonly do: 'sign'; readonly app: number; readonly user: number; readonly steps: string }
  | (At & { readonly do: 'event' })
  /** What no node would send. */
  | (At & {
      readonly do: 'wild';
      readonly subscriptions: number;
      readonly steps: string;
      readonly flags: number;
    } & {
      readonly users: readonly (readonly [user: number, steps: string, maxUsers: number])[];
    });

export type Step =
  | {
      readonly do: 'batch';
      readonly holder: number;
      readonly cause: string;
      readonly changes: readonly Change[];
    }
  /** The last batch again, one that is missing, or one of another store. */
  | { readonly do: 'repeat' | 'skip' | 'stray'; readonly holder: number }
  /** `flags`: 1 wants to own the partition, 2 gives it back. `claims`: what the node says it knows. */
  | {
      readonly do: 'renew';
      readonly holder: number;
      readonly flags: number;
      readonly claims: Claims;
      readonly leaseMs: number;
    }
  | {
      readonly do: 'reap';
      readonly holder: number;
      readonly other: number;
      readonly max: number;
      readonly isForced: boolean;
    }
  | { readonly do: 'fire'; readonly holder: number; readonly max: number; readonly isAll: boolean }
  | { readonly do: 'retire' | 'beginAnew'; readonly holder: number }
  | { readonly do: 'ask'; readonly app: number; readonly channel: number; readonly limit: number }
  | {
      readonly do: 'quota';
      readonly holder: number;
      readonly used: number;
      readonly want: number;
      readonly limit: number;
    }
  | { readonly do: 'cache'; readonly text: string; readonly ttlMs: number; readonly isOnlyNewer: boolean }
  | OutboxStep
  | { readonly do: 'wait'; readonly ms: number }
  /** A replica has everything up to here; it takes over. */
  | { readonly do: 'save' }
  | { readonly do: 'fallBack' }
  | { readonly do: 'wipe' };

const laneModes = [
  ...([
    'read',
    'peek',
    'record',
    'skip',
    'expire',
    'acknowledge',
    'failed',
    'split',
    'giveUp',
    'fold',
  ] as const),
  ...(['replay', 'bury', 'forget'] as const),
] as const;
const outboxModes = [
  ...(['backlogs', 'entries', 'lanes', 'folded', 'dead', 'trim', 'expire', 'seqs', 'forget'] as const),
] as const;

/** `amount` says how many events, entries or letters it is about, or how far it goes. */
export type OutboxStep =
  | {
      readonly do: 'list';
      readonly holder: number;
      readonly isNamed: boolean;
      readonly endpoints: readonly number[];
    }
  | {
      readonly do: 'lane';
      readonly mode: (typeof laneModes)[number];
      readonly holder: number;
      readonly endpoint: number;
      readonly isReplay: boolean;
      /** Somebody else than the owner of the partition. */
      readonly isStranger: boolean;
      /** Not about what the lane is now. */
      readonly isStale: boolean;
      readonly amount: number;
    }
  | {
      readonly do: 'outbox';
      readonly mode: (typeof outboxModes)[number];
      readonly holder: number;
      readonly endpoint: number;
      readonly isStranger: boolean;
      readonly amount: number;
    }
  | { readonly do: 'timeline'; readonly holder: number; readonly app: number; readonly amount: number };

/** The truth; a batch the store has not; more writes than it has; another generation; another number of partitions; nothing yet. */
export type Claims =
  | 'truth'
  | 'more batches'
  | 'more writes'
  | 'another generation'
  | 'other partitions'
  | 'nothing';

const app = fc.nat({ max: 4 }).map((drawn) => (drawn === 4 ? 1 : 0));
const channel = fc.nat(channels.length - 1);
const user = fc.nat(users.length - 1);
const holder = fc.nat(holderCount - 1);
const seldom = fc.nat(5).map((drawn) => drawn === 5);
const steps = fc.constantFrom('=', '1', '0', '10', '01');

const moving = fc.record({
  app,
  channel,
  user,
  by: fc.constantFrom(1, 1, 1, 2, 80),
  begins: fc.boolean(),
});

const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 8, arbitrary: moving.map((at): Change => ({ do: 'join', ...at })) },
  { weight: 6, arbitrary: moving.map((at): Change => ({ do: 'leave', ...at })) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('sign' as const), app, user, steps }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('event' as const), app, channel }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('wild' as const),
      app,
      channel,
      subscriptions: fc.nat(3),
      steps,
      flags: fc.nat(3),
      users: fc.array(fc.tuple(user, steps, fc.nat(3)), { maxLength: 3 }),
    }),
  },
);

const weighted: readonly (readonly [weight: number, arbitrary: fc.Arbitrary<Step>])[] = [
  [
    16,
    fc.record({
      do: fc.constant('batch' as const),
      holder,
      cause: fc.constantFrom('', '', '', 'reconciled'),
      changes: fc.array(change, { minLength: 1, maxLength: 6 }),
    }),
  ],
  [2, fc.record({ do: fc.constantFrom('repeat' as const, 'skip' as const, 'stray' as const), holder })],
  [
    8,
    fc.record({
      do: fc.constant('renew' as const),
      holder,
      flags: fc.constantFrom(0, 1, 1, 2),
      leaseMs: fc.constantFrom(8_000, 8_000, 8_000, 8_000, 6_001),
      claims: fc.constantFrom<Claims>(
        ...(['truth', 'truth', 'truth', 'truth', 'truth', 'truth', 'truth', 'truth'] as const),
        ...(['more batches', 'more writes', 'another generation', 'other partitions', 'nothing'] as const),
      ),
    }),
  ],
  [
    5,
    fc.record({
      do: fc.constant('reap' as const),
      holder,
      other: holder,
      max: fc.constantFrom(1, 3, 256),
      isForced: fc.constantFrom(false, false, false, true),
    }),
  ],
  [
    4,
    fc.record({
      do: fc.constant('fire' as const),
      holder,
      max: fc.constantFrom(1, 256, 1_000),
      isAll: fc.constantFrom(false, false, true),
    }),
  ],
  [1, fc.record({ do: fc.constantFrom('retire' as const, 'beginAnew' as const), holder })],
  [4, fc.record({ do: fc.constant('ask' as const), app, channel, limit: fc.nat(3) })],
  [
    2,
    fc.record({
      do: fc.constant('quota' as const),
      holder,
      used: fc.nat(3),
      want: fc.nat(6),
      limit: fc.constantFrom(0, 5, 8),
    }),
  ],
  [
    1,
    fc.record({
      do: fc.constant('cache' as const),
      text: fc.constantFrom('{"event":"a"}', '{"event":"b"}'),
      ttlMs: fc.constantFrom(500, 5_000),
      isOnlyNewer: fc.boolean(),
    }),
  ],
  [
    2,
    fc.record({
      do: fc.constant('list' as const),
      holder,
      isNamed: fc.nat(4).map((drawn) => drawn > 0),
      endpoints: fc.subarray([0, 1, 2]),
    }),
  ],
  [
    14,
    fc.record({
      do: fc.constant('lane' as const),
      mode: fc.constantFrom(...laneModes, ...(['read', 'record', 'record', 'record', 'replay'] as const)),
      holder,
      endpoint: fc.constantFrom(0, 0, 0, 1, 2),
      isReplay: seldom,
      isStranger: seldom,
      isStale: seldom,
      amount: fc.nat(4),
    }),
  ],
  [
    4,
    fc.record({
      do: fc.constant('outbox' as const),
      mode: fc.constantFrom(...outboxModes),
      holder,
      endpoint: fc.constantFrom(0, 0, 0, 1, 2),
      isStranger: seldom,
      amount: fc.nat(4),
    }),
  ],
  [2, fc.record({ do: fc.constant('timeline' as const), holder, app, amount: fc.nat(4) })],
  [3, fc.constant<Step>({ do: 'save' })],
  [2, fc.constant<Step>({ do: 'fallBack' })],
  [
    7,
    fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 300, 1_500, 3_000, 9_000, 60_000) }),
  ],
];

const step: fc.Arbitrary<Step> = fc.oneof(
  ...weighted.map(([weight, arbitrary]) => ({ weight: 4 * weight, arbitrary })),
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'wipe' }) },
);

/** What three nodes do to one partition, with and without grace. */
export const story = fc.record({
  graceMs: fc.constantFrom(0, 3_000, 3_000),
  steps: fc.array(step, { minLength: 1, maxLength: 120, size: 'max' }),
});
