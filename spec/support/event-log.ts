import type { EventFields, EventName } from '../../lib/telemetry/events.ts';
import type { TelemetryEvent } from '../../lib/telemetry/telemetry.ts';

interface Waiting {
  readonly matches: (event: TelemetryEvent) => boolean;
  readonly found: (event: TelemetryEvent) => void;
}

/** The events of a server, kept and awaited: a spec waits for what the server says instead of for time to pass. */
export class EventLog {
  readonly events: TelemetryEvent[] = [];
  readonly #waiting = new Set<Waiting>();

  add(event: TelemetryEvent): void {
    this.events.push(event);
    for (const waiting of this.#waiting) {
      if (!waiting.matches(event)) continue;
      this.#waiting.delete(waiting);
      waiting.found(event);
    }
  }

  /** All events of that name so far. */
  all<N extends EventName>(name: N): readonly EventFields<N>[] {
    return this.events.filter((event) => event.name === name).map((event) => event.fields as EventFields<N>);
  }

  /** The first event of that name whose fields match, from those that came already or from those to come. */
  waitFor<N extends EventName>(
    name: N,
    matches: (fields: EventFields<N>) => boolean = () => true,
  ): Promise<EventFields<N>> {
    const isIt = (event: TelemetryEvent): boolean =>
      event.name === name && matches(event.fields as EventFields<N>);
    const seen = this.events.find(isIt);
    if (seen !== undefined) return Promise.resolve(seen.fields as EventFields<N>);
    return new Promise((resolve) => {
      this.#waiting.add({ matches: isIt, found: (event) => resolve(event.fields as EventFields<N>) });
    });
  }
}
