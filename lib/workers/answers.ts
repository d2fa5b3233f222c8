import type { MaybePromise } from '../flow/maybe-promise.ts';
import type { AdminNode } from '../server.ts';
import type { Question, QuestionKind, Questions } from './messages.ts';

/** What a worker answers its primary: what it would answer operators itself. */
export function answerOf(
  node: AdminNode,
  question: Question,
): MaybePromise<Questions[QuestionKind]['answer']> {
  const { outbox, schedule } = node.webhooks;
  switch (question.kind) {
    case 'readiness':
      return node.readiness();
    case 'metrics':
      return node.snapshot();
    case 'statuses':
      return schedule.status();
    case 'resume':
      return andNull(schedule.resume(question.appId, question.endpointId));
    case 'backlogs':
      return outbox.backlogs();
    case 'list':
      return outbox.list(question.query, question.limit);
    case 'replay':
      return outbox.replay(question.query, question.limit);
  }
}

async function andNull(work: MaybePromise<void>): Promise<null> {
  await work;
  return null;
}
