import { jest } from '@jest/globals';
import { loadConfig } from '../../config/load.ts';
import type { RawObject } from '../../config/raw.ts';
import { systemClock } from '../../lib/flow/clock.ts';
import { Telemetry } from '../../lib/telemetry/telemetry.ts';
import type { BusMessage } from '../../lib/bus/bus.ts';
import type { MaybePromise } from '../../lib/flow/maybe-promise.ts';
import type { CreateStores } from '../../lib/stores.ts';
import { createMemoryStores } from '../../lib/stores.ts';
import { createLateStores } from '../support/late-stores.ts';

/** Every implementation of the stores: each contract is run over all of them. */
export const everyStores: readonly (readonly [name: string, create: CreateStores])[] = [
  ['memory', createMemoryStores],
  ['late', createLateStores(1)],
];

/** Stores, and a way to their answers: with fake timers, after everything that is under way has happened. */
export function openStores(
  createStores: CreateStores,
  deliver: (message: BusMessage) => void,
  overrides: RawObject = {},
) {
  const { config } = loadConfig({ env: {}, overrides: { cache: { ttlSeconds: 60 }, ...overrides } });
  const stores = createStores(config, deliver, { clock: systemClock, telemetry: new Telemetry() });
  const answerOf = async <T>(answer: MaybePromise<T>): Promise<T> => {
    const result = Promise.resolve(answer);
    await jest.advanceTimersByTimeAsync(50);
    return result;
  };
  return { stores, answerOf };
}
