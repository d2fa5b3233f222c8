import { startSentinel } from '../../support/redis.ts';
import { describeContracts } from './contracts.ts';

describeContracts('sentinel', async () => {
  const group = await startSentinel();
  const { name, nodes } = group;
  return { settings: { sentinels: { name, nodes } }, stop: () => group.stop() };
});
