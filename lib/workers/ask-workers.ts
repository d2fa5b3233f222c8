import type { AppRegistry } from '../apps/app-registry.ts';
import type { WebhookOperations } from '../admin/webhook-operations.ts';
import { WebhookEndpoints } from '../webhooks/endpoints.ts';
import type { Readiness } from '../telemetry/health.ts';
import type { ForkedWorker } from './forked-worker.ts';
import { mergeReadiness } from './merge-readiness.ts';
import { mergeStatuses } from './merge-statuses.ts';
import type { Question, QuestionKind, Questions } from './messages.ts';

/** The part of a worker that is asked. */
export type Asked = Pick<ForkedWorker, 'place' | 'ask'>;
/** Those that take connections now. */
export type Serving = () => readonly Asked[];

/** A balancer does not wait longer; operators do. */
const readinessMs = 1_000;
const operatorsMs = 10_000;

/** `/ready` of all workers: `expected` is how many there should be. */
export async function readinessOfWorkers(serving: Serving, expected: number): Promise<Readiness> {
  const asked = serving();
  const answers = await Promise.allSettled(
    asked.map((worker) => worker.ask({ kind: 'readiness' }, readinessMs)),
  );
  return mergeReadiness(
    expected,
    answers.map((answer, index) => ({
      worker: asked[index]?.place ?? 0,
      readiness: answer.status === 'fulfilled' ? answer.value : undefined,
    })),
  );
}

/** What is kept is in the store, so any worker knows; how endpoints do is known to each worker for itself. */
export function webhooksOfWorkers(serving: Serving, apps: AppRegistry): WebhookOperations {
  const askAny = async <Kind extends QuestionKind>(
    question: Extract<Question, { kind: Kind }>,
  ): Promise<Questions[Kind]['answer']> => {
    const [worker] = serving();
    if (worker === undefined) throw new Error('no worker takes questions at the moment');
    return worker.ask(question, operatorsMs);
  };
  return {
    outbox: {
      backlogs: () => askAny({ kind: 'backlogs' }),
      list: (query, limit) => askAny({ kind: 'list', query, limit }),
      replay: (query, limit) => askAny({ kind: 'replay', query, limit }),
    },
    schedule: {
      status: async () => {
        const asked = serving().map((worker) => worker.ask({ kind: 'statuses' }, operatorsMs));
        const answers = await Promise.allSettled(asked);
        return mergeStatuses(
          answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : [])),
        );
      },
      resume: async (appId, endpointId) => {
        const question = { kind: 'resume', appId, endpointId } as const;
        await Promise.all(serving().map((worker) => worker.ask(question, operatorsMs)));
      },
    },
    endpoints: new WebhookEndpoints(apps.all()),
  };
}
