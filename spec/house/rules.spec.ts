import { existsSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { placesOf, type SourceFile, sourceFiles } from './source-files.ts';

const product = sourceFiles('lib', 'pipelines', 'config');
const specs = sourceFiles('spec');
const everything = [...product, ...specs, ...sourceFiles('bench', 'examples')];
const within = (...folders: readonly string[]): readonly SourceFile[] =>
  product.filter(({ path }) => folders.some((folder) => path.startsWith(folder)));
const outside = (...folders: readonly string[]): readonly SourceFile[] =>
  product.filter(({ path }) => !folders.some((folder) => path.startsWith(folder)));

/** The contracts of the outbox allow promises, its spool is a file, and Redis answers later; the rest changes memory. */
const synchronousOutbox = within('lib/outbox/').filter(
  ({ path, code }) =>
    /^(?:export )?class /m.test(code) && !/spool-file\.ts$|^lib\/outbox\/redis\//.test(path),
);

describe('the source', () => {
  test('is found', () => {
    expect([product.length > 100, specs.length > 50]).toEqual([true, true]);
  });

  test('turns no types off', () => {
    const any = /(?<![\w$'])(?:: |as |<|\| )any\b(?!['\w])/;
    expect(placesOf(product, any)).toEqual([]);
  });

  test('suppresses no error of the compiler or the linter', () => {
    const suppressed = /@ts-(?:ignore|nocheck|expect-error)|eslint-disable|biome-ignore/;
    expect(product.filter(({ text }) => suppressed.test(text)).map(({ path }) => path)).toEqual([]);
  });

  test('catches nothing to forget it', () => {
    expect(
      placesOf(product, /catch\s*(?:\([^)]*\)\s*)?\{\s*\}|\.catch\(\(\) => (?:undefined|\{\s*\})\)/),
    ).toEqual([]);
  });

  test('subscribes in flow, in the runner and in the composition root only', () => {
    // The snippets are texts for people to paste into a page; pusher-js subscribes there.
    const elsewhere = outside('lib/flow/', 'lib/stages/runner.ts', 'lib/server.ts', 'lib/cli/snippets.ts');
    expect(placesOf(elsewhere, /\.subscribe\(/)).toEqual([]);
  });

  test.each([
    ['ws', ['lib/edge/']],
    ['fastify', ['lib/admin/']],
    ['pino', ['lib/telemetry/']],
    ['prom-client', ['lib/telemetry/']],
    ['commander', ['lib/cli/']],
    ['zod', ['config/']],
    ['jiti', ['lib/stages/']],
    ['lru-cache', ['lib/cache/']],
    ['ioredis', ['lib/redis/']],
    ['opossum', ['lib/flow/']],
  ])('imports %s in one folder only', (name, folders) => {
    expect(placesOf(outside(...folders), new RegExp(`from '${name}(?:/[^']*)?'`))).toEqual([]);
  });

  test('has no file of more than 300 lines', () => {
    const long = product.filter(({ text }) => text.trimEnd().split('\n').length > 300);
    expect(long.map(({ path }) => path)).toEqual([]);
  });

  test('is pure in the protocol: no time, no chance, no input or output', () => {
    const pure = within('lib/protocol/').filter(({ path }) => !path.endsWith('socket-id.ts'));
    expect(placesOf(pure, /Date\.now|Math\.random|setTimeout|from 'rxjs|from 'node:(?!crypto)/)).toEqual([]);
  });

  test('changes memory and channels without waiting', () => {
    const synchronous = [
      ...within('lib/channels/'),
      ...product.filter(({ path }) => /^lib\/(?:membership|cache|users|quota)\/memory\.ts$/.test(path)),
      ...within('lib/membership/touched-channels.ts'),
      ...synchronousOutbox,
    ];
    expect(synchronous.length).toBeGreaterThan(25);
    expect(placesOf(synchronous, /\basync\b|\bawait\b|Promise|\.then\(/)).toEqual([]);
  });

  test('has no default export', () => {
    expect(placesOf(product, /^export default/m)).toEqual([]);
  });
});

describe('the specs', () => {
  test('mock no module: what is replaced is injected', () => {
    expect(placesOf(specs, /jest\.(?:mock|unstable_mockModule)\(/)).toEqual([]);
  });

  test('leave none of themselves out', () => {
    expect(
      placesOf(specs, /\b(?:test|it|describe)\.(?:skip|only|todo)\b|\b(?:xit|xtest|fit|fdescribe)\(/),
    ).toEqual([]);
  });

  test('are not tried again until they pass', () => {
    expect(placesOf(everything, /jest\.retryTimes\(/)).toEqual([]);
  });
});

/** Files that only name types have nothing to run. */
const hasCode = ({ code }: SourceFile): boolean => /^export (?:async )?(?:function|class|const)/m.test(code);
const mirrorOf = (path: string): string => `spec/${path.replace(/\.ts$/, '.spec.ts')}`;

describe('a file has its spec at the mirrored path:', () => {
  /** Proved where it is used: one constant. */
  const withoutSpec = new Set(['lib/flow/clock.ts', 'lib/stages/stage.ts']);
  const files = product
    .filter(({ path }) => /^lib\/flow\/[^/]+\.ts$|^lib\/stages\/[^/]+\.ts$|^pipelines\/[^/]+\.ts$/.test(path))
    .filter((file) => hasCode(file) && !withoutSpec.has(file.path))
    .map(({ path }) => [path, mirrorOf(path)] as const);

  test.each(files)('%s', (_, spec) => {
    expect(existsSync(spec)).toBe(true);
  });
});
