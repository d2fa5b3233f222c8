/** The scripts of the store, each a file in `scripts/`, compiled behind `prelude.lua`. */
export const scriptNames = [
  // Membership, sign-ins and events: the ordered writer of a node.
  'apply',
  // Leases, ownership, grace.
  'renew',
  'reap',
  'fire',
  'retire',
  // Questions.
  'view',
  'channels',
  'channel',
  'users',
  'states',
  // Cached events and quotas.
  'remember',
  'recall',
  'quota',
  // The outbox.
  'endpoints',
  'lane',
  'outbox',
  'timeline',
] as const;

export type ScriptName = (typeof scriptNames)[number];
