import { everyStores } from '../../stores.ts';
import { describeOutbox } from '../outbox.contract.ts';

for (const fixture of everyStores) describeOutbox(fixture);
