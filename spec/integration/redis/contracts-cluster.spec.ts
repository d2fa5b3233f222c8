import { startRedisCluster } from '../../support/redis.ts';
import { describeContracts } from './contracts.ts';

describeContracts('cluster', async () => {
  const cluster = await startRedisCluster();
  return { settings: { url: cluster.url, cluster: true }, stop: () => cluster.stop() };
});
