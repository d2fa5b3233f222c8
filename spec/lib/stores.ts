import { jest } from '@jest/globals';
import { loadConfig } from '../../config/load.ts';
import type { RawObject } from '../../config/raw.ts';
import type { BusMessage } from '../../lib/bus/bus.ts';
import { systemClock } from '../../lib/flow/clock.ts';
import type { MaybePromise } from '../../lib/flow/maybe-promise.ts';
import { createMemoryStores, type CreateStores, type Stores } from '../../lib/stores.ts';
import { Telemetry } from '../../lib/telemetry/telemetry.ts';
import { createLateStores } from '../support/late-stores.ts';

/** One implementation of the stores, and how time passes for it. */
export interface StoresFixture {
  readonly name: string;
  readonly createStores: CreateStores;
  /** How often a property with a long story is run. */
  readonly longRuns: number;
  /** Before each spec. */
  begin(): Promise<void>;
  /** After each spec. */
  end(): Promise<void>;
  /** Until what was asked of the stores has happened, with all that follows from it. */
  rest(stores: Stores, answer: Promise<unknown>): Promise<void>;
  elapse(ms: number): Promise<void>;
}

/** The implementations in this process: each contract is run over all of them. */
export const everyStores: readonly StoresFixture[] = [
  inVirtualTime('memory', createMemoryStores),
  inVirtualTime('late', createLateStores(1)),
];

function inVirtualTime(name: string, createStores: CreateStores): StoresFixture {
  return {
    name,
    createStores,
    longRuns: 5,
    begin: () => {
      jest.useFakeTimers();
      return Promise.resolve();
    },
    end: () => {
      jest.useRealTimers();
      return Promise.resolve();
    },
    rest: () => jest.advanceTimersByTimeAsync(50),
    elapse: (ms) => jest.advanceTimersByTimeAsync(ms),
  };
}

/** Stores, and a way to their answers: after everything that is under way has happened. */
export function openStores(
  fixture: StoresFixture,
  deliver: (message: BusMessage) => void,
  overrides: RawObject = {},
) {
  const { config } = loadConfig({ env: {}, overrides: { cache: { ttlSeconds: 60 }, ...overrides } });
  const tools = {
    clock: systemClock,
    telemetry: new Telemetry(),
    nodeId: 'node-of-a-spec',
  };
  const stores = fixture.createStores(config, deliver, tools);
  const answerOf = async <T>(answer: MaybePromise<T>): Promise<T> => {
    const result = Promise.resolve(answer);
    await fixture.rest(stores, result);
    return result;
  };
  return { stores, answerOf };
}
