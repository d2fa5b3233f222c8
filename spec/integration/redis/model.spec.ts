import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { canonicalMessage } from '../../chaos/store-model/canonical.ts';
import { Director } from '../../chaos/store-model/director.ts';
import {
  type Heard,
  type History,
  RealStore,
  type StoreCommand,
} from '../../chaos/store-model/real-store.ts';
import { story } from '../../chaos/store-model/steps.ts';
import { type RedisServer, startRedis } from '../../support/redis.ts';

/** `MODEL_RUNS` tells as many other stories; without it they are the same each time. */
const wanted = process.env['MODEL_RUNS'];
const runs = Number(wanted ?? 300);

let redis: RedisServer;
let real: RealStore;

beforeAll(async () => {
  redis = await startRedis();
  real = new RealStore(redis.port);
  await real.open();
});

afterAll(async () => {
  real.close();
  await redis.stop();
});

test(
  'the model answers, says and keeps what the scripts do, whatever three nodes send',
  async () => {
    const tally = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(story, async ({ graceMs, steps }) => {
        const director = new Director(graceMs);
        director.play(steps);
        const told = await real.tell(director.commands);
        for (const [at, command] of director.commands.entries()) {
          const answer = director.history.answers[at];
          if (!isDeepStrictEqual(told.answers[at], answer)) {
            expect({ at, command, answer: told.answers[at] }).toEqual({ at, command, answer });
          }
          count(tally, `${nameOf(command)} ${wordOf(answer)}`);
        }
        expect(heardOf(told)).toEqual(heardOf(director.history));
        for (const { topic } of told.heard) count(tally, `said on ${topic.replace(/:.*/, '')}`);
      }),
      { numRuns: runs, ...(wanted === undefined ? { seed: 1 } : {}) },
    );
    const commands = [...tally.values()].reduce((sum, each) => sum + each, 0);
    expect(commands).toBeGreaterThan(60 * runs);
    expect([...tally.keys()].sort()).toEqual(expect.arrayContaining(answers));
  },
  60_000 + runs * 200,
);

/** Everything there is to be answered and said has been met. */
const answers = [
  ...['OK', 'DUP', 'GAP', 'EPOCH', 'FENCED', 'EXPIRED'].map((word) => `apply ${word}`),
  ...['OK', 'GAP', 'EPOCH', 'FENCED', 'PARTITIONS'].map((word) => `renew ${word}`),
  ...['OK', 'GONE', 'LIVE', 'EPOCH', 'FENCED', 'EXPIRED'].map((word) => `reap ${word}`),
  ...['OK', 'EPOCH', 'FENCED', 'EXPIRED'].map((word) => `fire ${word}`),
  ...['OK', 'HELD', 'EPOCH'].map((word) => `retire ${word}`),
  ...['view OK', 'view LARGE', 'channels OK', 'channel OK', 'users OK', 'states OK'],
  ...['remember OK', 'recall OK', 'recall NONE', 'quota OK', 'quota FENCED'],
  ...[
    'endpoints OK',
    'lane record NONE',
    'outbox trim NONE',
    'lane read BATCH',
    'lane read EVENTS',
    'lane peek EVENTS',
  ],
  ...['record', 'skip', 'expire', 'acknowledge', 'failed', 'split', 'giveUp', 'fold'].flatMap((mode) => [
    `lane ${mode} OK`,
    `lane ${mode} CHANGED`,
  ]),
  ...['replay', 'bury', 'forget'].map((mode) => `lane ${mode} OK`),
  ...['backlogs', 'entries', 'lanes', 'folded', 'dead', 'trim', 'expire', 'seqs', 'forget'].map(
    (mode) => `outbox ${mode} OK`,
  ),
  ...['timeline snapshot OK', 'timeline after OK', 'timeline after GONE', 'timeline after OFF'],
  ...['said on c', 'said on sys', 'said on wake'],
];

function heardOf({ heard }: History): readonly Heard[] {
  return heard.map(({ topic, message }) => ({ topic, message: canonicalMessage(message) }));
}

/** Of scripts with modes the mode, too. */
function nameOf(command: StoreCommand): string {
  if (command.do !== 'run') return command.do;
  return ['lane', 'outbox', 'timeline'].includes(command.script)
    ? `${command.script} ${command.args[0] ?? ''}`
    : command.script;
}

function wordOf(answer: History['answers'][number] | undefined): string {
  return Array.isArray(answer) ? String(answer[0]) : '';
}

function count(words: Map<string, number>, word: string): void {
  words.set(word, (words.get(word) ?? 0) + 1);
}
