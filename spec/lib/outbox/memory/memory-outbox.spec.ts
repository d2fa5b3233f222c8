import { everyStores } from '../../stores.ts';
import { describeOutbox } from '../outbox.contract.ts';

for (const [name, createStores] of everyStores) describeOutbox(name, createStores);
