import { loadConfig } from '../../config/load.ts';
import type { RawObject } from '../../config/raw.ts';
import { createParts } from '../../lib/parts.ts';
import type { CreateStores } from '../../lib/stores.ts';
import { Telemetry } from '../../lib/telemetry/telemetry.ts';
import { EventLog } from '../support/event-log.ts';
import { otherApp, testApp } from '../support/server.ts';
import { ManualClock } from './manual-clock.ts';

export interface SpecPartsOptions {
  /** Settings in the shape of the configuration file. */
  readonly config?: RawObject;
  /** Settings of the first app. */
  readonly app?: RawObject;
  readonly createStores?: CreateStores;
}

/** The parts of a server with two apps, what they say, and a clock that the spec moves. Nothing runs yet. */
export function specParts({ config: given, app, ...options }: SpecPartsOptions = {}) {
  const overrides: RawObject = { apps: [{ ...testApp, ...app }, otherApp], ...given };
  const { config } = loadConfig({ env: {}, overrides });
  const clock = new ManualClock();
  const telemetry = new Telemetry({ level: 'debug', now: () => clock.now() });
  const log = new EventLog();
  void telemetry.events$.forEach((event) => log.add(event));
  return { parts: createParts(config, telemetry, { ...options, clock }), log, clock };
}
