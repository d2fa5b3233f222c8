/** Whether the server can take traffic, and how its parts are. */
export interface Readiness {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, HealthCheck>>;
}

interface HealthCheck {
  readonly ok: boolean;
  readonly detail?: string;
}

export interface HealthAnswer {
  readonly status: 200 | 503;
  readonly body: Readonly<Record<string, unknown>>;
}

/** The paths of both ports: `/up` and `/accept-traffic` are what Reverb's and soketi's balancers ask for. */
export const healthPaths = {
  live: ['/live'],
  ready: ['/ready', '/health', '/up', '/accept-traffic'],
} as const;

/** The process answers, so it lives: this never looks at anything that a restart would not mend. */
export function liveAnswer(): HealthAnswer {
  return { status: 200, body: { status: 'live' } };
}

/** 503 keeps new connections away; `degraded` means that a part is down and the server goes on without it. */
export function readyAnswer({ ready, checks }: Readiness): HealthAnswer {
  if (!ready) return { status: 503, body: { status: 'unready', checks } };
  const degraded = Object.values(checks).some((check) => !check.ok);
  return { status: 200, body: { status: degraded ? 'degraded' : 'ready', checks } };
}
