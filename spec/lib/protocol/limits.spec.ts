import { expect, it } from '@jest/globals';
import * as limits from '../../../lib/protocol/limits.ts';

it.each([
  ['3.1', 'maxChannelNameLength', 200],
  ['3.3', 'maxUserIdLength', 128],
  ['3.6', 'maxSignedInUserIdLength', 200],
  ['5', 'maxWatchlist', 100],
  ['6', 'maxEventNameLength', 200],
  ['7.1', 'maxChannelsPerEvent', 100],
  ['7.1', 'maxEventsPerBatch', 10],
  ['7.2', 'httpTimestampWindowSeconds', 600],
] as const)('%s sets %s to %i', (_, name, value) => {
  expect(limits[name]).toBe(value);
});
