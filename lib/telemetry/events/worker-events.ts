import type { EventEntry } from '../event-entry.ts';

const worker = { worker: 'number', workerPid: 'number' } as const;

/** The workers of `server.workers`, as their primary sees them. `worker` is the number of a place: successors share it. */
export const workerEvents = {
  'worker.started': {
    level: 'info',
    doc: 'A worker process was started; it does not listen yet.',
    fields: worker,
  },
  'worker.listening': {
    level: 'info',
    doc: 'A worker takes connections; `workerNodeId` is the `nodeId` of its own lines.',
    fields: { ...worker, workerNodeId: 'string' },
  },
  'worker.lost': {
    level: 'error',
    doc: 'A worker takes no more connections, and its primary did not tell it to stop: another takes its place after `pauseMs`.',
    fields: { ...worker, pauseMs: 'number' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_worker_losses_total',
        help: 'Workers that went without being told to by their primary',
      },
    ],
  },
  'worker.ended': {
    level: 'info',
    doc: 'A worker process has ended.',
    fields: { ...worker, exitCode: 'number?', signal: 'string?' },
  },
  'worker.start-failed': {
    level: 'error',
    doc: 'A worker ended before it listened, for the reason given.',
    fields: { ...worker, reason: 'string' },
  },
  'worker.killed': {
    level: 'warn',
    doc: 'A worker did not end within `drain.deadlineMs` and five seconds: it was killed.',
    fields: worker,
  },
  'workers.restarting': {
    level: 'info',
    doc: 'SIGHUP: every worker is replaced, one after the other; the next one goes when its successor listens.',
    fields: { workers: 'number' },
  },
  'workers.restarted': {
    level: 'info',
    doc: 'Every worker was replaced.',
    fields: { workers: 'number', durationMs: 'number' },
  },
  'workers.restart-failed': {
    level: 'error',
    doc: 'A successor could not start: the workers that were not replaced yet go on.',
    fields: { worker: 'number', reason: 'string' },
  },
} as const satisfies Record<string, EventEntry>;
