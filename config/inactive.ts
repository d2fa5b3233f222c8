import { type RawObject, valueAt } from './raw.ts';

/** A setting that is accepted, checked, and does nothing yet. */
interface InactiveSetting {
  /** Whether the user asked for it. */
  readonly isSet: (given: RawObject) => boolean;
  readonly message: string;
}

const inactiveSettings: readonly InactiveSetting[] = [
  {
    isSet: (given) =>
      given['redis'] === undefined &&
      Object.keys((given['cluster'] as object | undefined) ?? {}).some((key) => key !== 'partitions'),
    message: 'cluster is set, but redis is not: one node alone has no leases',
  },
  {
    isSet: (given) => given['redis'] !== undefined && valueAt(given, ['cluster', 'sweepMs']) !== undefined,
    message: 'cluster.sweepMs is set, but not used: expired leases are looked for when they run out',
  },
  {
    isSet: (given) => given['redis'] !== undefined && valueAt(given, ['webhooks', 'spoolFile']) !== undefined,
    message: 'webhooks.spoolFile is set, but not used: redis keeps what endpoints have not been told',
  },
  {
    isSet: (given) => given['sessions'] !== undefined,
    message:
      'sessions is set, but this version keeps no sessions: nothing expires and nothing is limited by it',
  },
];

/** Says plainly which of the given settings this version does not act upon. */
export function inactiveMessages(given: RawObject): readonly string[] {
  return inactiveSettings.filter(({ isSet }) => isSet(given)).map(({ message }) => message);
}
