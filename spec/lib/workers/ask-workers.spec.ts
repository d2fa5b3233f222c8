import { describe, expect, test } from '@jest/globals';
import { loadConfig } from '../../../config/load.ts';
import { retry } from '../../../lib/admin/webhook-orders.ts';
import { Fields } from '../../../lib/admin/fields.ts';
import { AppRegistry } from '../../../lib/apps/app-registry.ts';
import { type Asked, readinessOfWorkers, webhooksOfWorkers } from '../../../lib/workers/ask-workers.ts';
import type { Question } from '../../../lib/workers/messages.ts';

const apps = new AppRegistry(
  loadConfig({
    env: {},
    overrides: {
      apps: [
        { id: 'shop', key: 'k', secret: 's', webhooks: [{ id: 'orders', url: 'https://shop.example/' }] },
      ],
    },
  }).config.apps,
);

/** A worker that answers from a table, or fails, and remembers what it was asked. */
class FakeWorker implements Asked {
  readonly asked: Question[] = [];
  readonly place: number;
  readonly #answers: Readonly<Record<string, unknown>>;

  constructor(place: number, answers: Readonly<Record<string, unknown>>) {
    this.place = place;
    this.#answers = answers;
  }

  readonly ask: Asked['ask'] = (question) => {
    this.asked.push(question);
    const answer = this.#answers[question.kind];
    return answer === undefined ? Promise.reject(new Error('it ended')) : (Promise.resolve(answer) as never);
  };
}

describe('the readiness of workers', () => {
  test('counts one that does not answer as missing', async () => {
    const workers = [new FakeWorker(1, { readiness: { ready: true, checks: {} } }), new FakeWorker(2, {})];
    expect(await readinessOfWorkers(() => workers, 2)).toEqual({
      ready: true,
      checks: { workers: { ok: false, detail: '1 of 2 answer' } },
    });
  });
});

describe('webhook operations of workers', () => {
  test('ask one worker for what is kept in the store', async () => {
    const workers = [new FakeWorker(1, { backlogs: [], list: [], replay: 3 }), new FakeWorker(2, {})];
    const { outbox } = webhooksOfWorkers(() => workers, apps);
    expect(await outbox.backlogs()).toEqual([]);
    expect(await outbox.list({ appId: 'shop' }, 5)).toEqual([]);
    expect(await outbox.replay({ appId: 'shop', id: 'e' }, 7)).toBe(3);
    expect(workers[0]!.asked).toEqual([
      { kind: 'backlogs' },
      { kind: 'list', query: { appId: 'shop' }, limit: 5 },
      { kind: 'replay', query: { appId: 'shop', id: 'e' }, limit: 7 },
    ]);
    expect(workers[1]!.asked).toEqual([]);
  });

  test('wake an endpoint on every worker', async () => {
    const workers = [new FakeWorker(1, { resume: null }), new FakeWorker(2, { resume: null })];
    const fields = new Fields({ app: 'shop' }, ['app', 'endpoint', 'deadLetters']);
    const answer = await retry(
      webhooksOfWorkers(() => workers, apps),
      fields,
    );
    expect(answer).toEqual({ endpoints: ['orders'], replayed: 0 });
    const resume = { kind: 'resume', appId: 'shop', endpointId: 'orders' };
    expect(workers.map(({ asked }) => asked)).toEqual([[resume], [resume]]);
  });

  test('leave out how endpoints do on a worker that has ended', async () => {
    const status = { appId: 'shop', endpointId: 'orders', state: 'open', inFlight: 1, due: 0, waiting: 0 };
    const workers = [new FakeWorker(1, {}), new FakeWorker(2, { statuses: [status] })];
    expect(await webhooksOfWorkers(() => workers, apps).schedule.status()).toEqual([status]);
  });

  test('fail while no worker serves', async () => {
    const { outbox } = webhooksOfWorkers(() => [], apps);
    await expect(outbox.backlogs()).rejects.toThrow('no worker takes questions');
  });
});
