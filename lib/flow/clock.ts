/** The time of day in milliseconds since 1970. Injected wherever time decides something, so specs can move it. */
export interface Clock {
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };
