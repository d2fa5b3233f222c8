import { type RawObject, valueAt } from './raw.ts';

/** A setting that is accepted, checked, and does nothing yet. */
interface InactiveSetting {
  /** Whether the user asked for it. */
  readonly isSet: (given: RawObject) => boolean;
  readonly message: string;
}

const inactiveSettings: readonly InactiveSetting[] = [
  {
    isSet: (given) => given['redis'] !== undefined,
    message: 'redis is set, but this version keeps its state in memory: run one node only',
  },
  {
    isSet: (given) =>
      Object.keys((given['cluster'] as object | undefined) ?? {}).some((key) => key !== 'partitions'),
    message: 'cluster is set, but this version runs as one node: leases are not used',
  },
  {
    isSet: (given) => ![undefined, 1].includes(valueAt(given, ['server', 'workers']) as number | undefined),
    message:
      'server.workers is set, but this version runs one process: start more nodes only behind separate apps',
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
