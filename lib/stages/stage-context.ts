import { parseChannelName } from '../protocol/channel-name.ts';
import type { StageStats } from './bound-stage.ts';
import type { Services } from './services.ts';
import type { StageContext, StagePublish } from './stage.ts';

/** Names a stage may count under; more would let a stage fill the metrics with labels. */
const maxCounterNames = 20;

/** What a stage is given besides the services it asked for. */
export function createContext(stats: StageStats, services: Services, signal: AbortSignal): StageContext {
  const { telemetry, clock, apps } = services;
  const { stage, custom } = stats;
  return {
    stage,
    clock,
    signal,
    log: {
      info: (message, detail) => telemetry.emit('stage.log', { stage, message, detail }),
      warn: (message, detail) => telemetry.emit('stage.warning', { stage, message, detail }),
    },
    metrics: {
      count: (name, by = 1) => {
        const counted = custom.get(name);
        if (counted === undefined && custom.size >= maxCounterNames) return;
        custom.set(name, (counted ?? 0) + by);
      },
    },
    publish: (event) => publish(services, event),
    app: (appId) => {
      const app = apps.byId(appId);
      return app === undefined ? undefined : { id: app.id, name: app.config.name };
    },
  };
}

function publish({ apps, bus }: Services, event: StagePublish): void {
  if (apps.byId(event.appId) === undefined) throw new Error(`publish: app ${event.appId} does not exist`);
  if (parseChannelName(event.channel) === undefined)
    throw new Error(`publish: ${event.channel} is not a channel name`);
  void bus.publish({ kind: 'event', ...event });
}
