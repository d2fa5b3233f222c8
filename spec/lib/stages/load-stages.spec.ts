import { afterAll, describe, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { SpillwayError } from '../../../lib/errors/spillway-error.ts';
import { loadStages } from '../../../lib/stages/load-stages.ts';

const root = mkdtempSync(join(tmpdir(), 'spillway-stages-'));
afterAll(() => rmSync(root, { recursive: true }));

const modules = { spillway: resolve('lib/index.ts'), rxjs: resolve('node_modules/rxjs') };
let folders = 0;

/** A folder with these files, far from any node_modules. */
function folder(files: Readonly<Record<string, string>>): string {
  const path = join(root, `${++folders}`);
  mkdirSync(path);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

const stage = (name: string, rest = "slot: 'publish:accepted', map: (event) => event") =>
  `import { defineStage } from 'spillway';\nexport default defineStage({ name: '${name}', ${rest} });\n`;
const typed = `
import { defineStage, type PublishedEvent } from 'spillway';
import { delay, type Observable } from 'rxjs';

interface Options { readonly ms: number }
const options: Options = { ms: 5 };
export const slow = defineStage({
  name: 'slow',
  slot: 'publish:accepted',
  stream: (events$: Observable<PublishedEvent>) => events$.pipe(delay(options.ms)),
  limits: { queue: { capacity: 10, overflow: 'reject' }, maxHoldMs: 1_000 },
});
`;

async function namesOf(...paths: readonly string[]): Promise<readonly string[]> {
  return (await loadStages(paths, modules)).map((loaded) => loaded.stage.name);
}

async function problemOf(...paths: readonly string[]): Promise<string> {
  try {
    await loadStages(paths, modules);
  } catch (error) {
    if (error instanceof SpillwayError && error.code === 'stage.invalid') return error.message;
    throw error;
  }
  return 'none';
}

describe('stages are loaded', () => {
  test('from TypeScript without a build step that imports spillway and rxjs', async () => {
    expect(await namesOf(join(folder({ 'slow.ts': typed }), 'slow.ts'))).toEqual(['slow']);
  });

  test('from JavaScript', async () => {
    expect(await namesOf(folder({ 'a.mjs': stage('a') }))).toEqual(['a']);
  });

  test('from a folder in the order of its files', async () => {
    const path = folder({ '20-b.ts': stage('b'), '10-z.ts': stage('z'), '30-a.ts': stage('a') });
    expect(await namesOf(path)).toEqual(['z', 'b', 'a']);
  });

  test('in the order of the paths', async () => {
    const [first, second] = [folder({ 'z.ts': stage('z') }), folder({ 'a.ts': stage('a') })];
    expect(await namesOf(first, second)).toEqual(['z', 'a']);
  });

  test('with every stage a file exports', async () => {
    const text = `${stage('one')}export const two = defineStage({ name: 'two', slot: 'publish:accepted', tap: () => undefined });`;
    expect([...(await namesOf(folder({ 'both.ts': text })))].sort()).toEqual(['one', 'two']);
  });

  test('once, also when a file exports one under two names', async () => {
    const text = `import { defineStage } from 'spillway';
      export const one = defineStage({ name: 'one', slot: 'publish:accepted', tap: () => undefined });
      export default one;`;
    expect(await namesOf(folder({ 'one.ts': text }))).toEqual(['one']);
  });

  test('without what is no module, a declaration or a spec', async () => {
    const path = folder({
      'a.ts': stage('a'),
      'a.spec.ts': 'throw new Error();',
      'a.test.ts': 'throw new Error();',
      'types.d.ts': 'export {};',
      'notes.md': '# notes',
    });
    expect(await namesOf(path)).toEqual(['a']);
  });

  test('with the file each came from', async () => {
    const path = folder({ 'a.ts': stage('a') });
    const [loaded] = await loadStages([path], modules);
    expect(loaded?.file).toBe(join(path, 'a.ts'));
  });

  test('from nowhere: none', async () => {
    expect(await namesOf()).toEqual([]);
  });
});

describe('what cannot be loaded is refused', () => {
  test('with its file when it exports no stage', async () => {
    const path = folder({ 'a.ts': 'export const answer = 42;' });
    expect(await problemOf(path)).toMatch(/a\.ts cannot be used: it exports no stage: write export default/);
  });

  test('when it exports a stage without a slot', async () => {
    const path = folder({ 'a.ts': stage('a', 'map: (item) => item') });
    expect(await problemOf(path)).toMatch(/it exports no stage/);
  });

  test('with the name of a stage that stands in the wrong slot', async () => {
    const path = folder({ 'a.ts': stage('a', "slot: 'connect:admitted', map: (item) => item") });
    expect(await problemOf(path)).toMatch(/^Stage a cannot be used: .*may be guard or tap, not map/);
  });

  test('with its file when it is no TypeScript', async () => {
    const path = folder({ 'a.ts': 'export default {{' });
    expect(await problemOf(path)).toMatch(/a\.ts cannot be used: it could not be loaded/);
  });

  test('with its file and the reason when it throws', async () => {
    const path = folder({ 'a.ts': "throw new Error('no database');" });
    expect(await problemOf(path)).toMatch(/a\.ts cannot be used: it could not be loaded: .*no database/);
  });

  test('with both files when two stages have the same name', async () => {
    const path = folder({ 'a.ts': stage('same'), 'b.ts': stage('same') });
    expect(await problemOf(path)).toMatch(/^Stage same cannot be used: two stages .*a\.ts and .*b\.ts/);
  });

  test('when there is no such file', async () => {
    expect(await problemOf(join(root, 'missing.ts'))).toMatch(/there is no such file or folder/);
  });
});
