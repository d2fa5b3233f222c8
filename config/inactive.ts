import { isRawObject, type RawObject, valueAt } from './raw.ts';

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
    isSet: (given) => given['cluster'] !== undefined,
    message: 'cluster is set, but this version runs as one node: leases and partitions are not used',
  },
  {
    isSet: (given) => given['webhooks'] !== undefined || someAppHasWebhooks(given),
    message: 'webhooks are configured, but this version does not send them: no endpoint will be called',
  },
  {
    isSet: (given) => ![undefined, 1].includes(valueAt(given, ['server', 'workers']) as number | undefined),
    message:
      'server.workers is set, but this version runs one process: start more nodes only behind separate apps',
  },
  {
    isSet: (given) => valueAt(given, ['cleanup', 'announceWindowMs']) !== undefined,
    message:
      'cleanup.announceWindowMs is set, but this version announces members at once, in one write per socket and tick',
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

function someAppHasWebhooks(given: RawObject): boolean {
  const apps = given['apps'];
  return (
    Array.isArray(apps) &&
    apps.some((app) => isRawObject(app) && Array.isArray(app['webhooks']) && app['webhooks'].length > 0)
  );
}
