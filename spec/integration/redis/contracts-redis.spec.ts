import { startRedis } from '../../support/redis.ts';
import { describeContracts } from './contracts.ts';

describeContracts('redis', async () => {
  const redis = await startRedis();
  return { settings: { url: redis.url }, stop: () => redis.stop() };
});
