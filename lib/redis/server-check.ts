import { Cluster, type Redis } from 'ioredis';
import { SpillwayError } from '../errors/spillway-error.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

/** What `INFO` of a server says, as far as it matters here. */
interface ServerInfo {
  readonly version: string;
  readonly isClusterNode: boolean;
  /** Absent where the server does not say. */
  readonly evictionPolicy?: string;
  readonly hasAppendOnlyFile?: boolean;
}

function parseInfo(text: string): ServerInfo {
  const fields = new Map(
    text.split('\r\n').map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1)];
    }),
  );
  const policy = fields.get('maxmemory_policy');
  const aof = fields.get('aof_enabled');
  return {
    version: fields.get('redis_version') ?? '',
    isClusterNode: fields.get('cluster_enabled') === '1',
    ...(policy === undefined ? {} : { evictionPolicy: policy }),
    ...(aof === undefined ? {} : { hasAppendOnlyFile: aof === '1' }),
  };
}

/** Why this server cannot be used; undefined when it can. */
function problemOf({ version, isClusterNode }: ServerInfo, isCluster: boolean): string | undefined {
  if (version !== '') {
    const least = isCluster ? '7.0' : '6.2';
    const why = isCluster ? ' on a Cluster' : '';
    if (isOlder(version, least)) return `it is version ${version}, ${least} or newer is needed${why}`;
  }
  if (isClusterNode && !isCluster) return 'it is a node of a Cluster: set redis.cluster';
  if (!isClusterNode && isCluster && version !== '') return 'it is no node of a Cluster: unset redis.cluster';
  return undefined;
}

function isOlder(version: string, least: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [leastMajor = 0, leastMinor = 0] = least.split('.').map(Number);
  return major < leastMajor || (major === leastMajor && minor < leastMinor);
}

/**
 * Asks every server whether it can be used, warns of settings that would lose state, and answers the version ('' where it
 * may not be asked).
 *
 * @throws SpillwayError `redis.unsuitable`.
 */
export async function checkServers(
  commands: Redis | Cluster,
  isCluster: boolean,
  address: string,
  telemetry: Telemetry,
): Promise<string> {
  const servers = commands instanceof Cluster ? commands.nodes('master') : [commands];
  const texts = await Promise.allSettled(servers.map((server) => server.info()));
  const infos = texts.flatMap((text) => (text.status === 'fulfilled' ? [parseInfo(text.value)] : []));
  for (const info of infos) {
    const problem = problemOf(info, isCluster);
    if (problem !== undefined) throw new SpillwayError('redis.unsuitable', { address, problem });
  }
  const policy = infos.find(({ evictionPolicy = keeps }) => evictionPolicy !== keeps)?.evictionPolicy;
  if (policy !== undefined) telemetry.emit('redis.evicts', { address, policy });
  if (infos.some(({ hasAppendOnlyFile }) => hasAppendOnlyFile === false)) {
    telemetry.emit('redis.no-aof', { address });
  }
  return infos[0]?.version ?? '';
}

const keeps = 'noeviction';
