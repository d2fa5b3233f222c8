import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { type SourceFile, sourceFiles } from './source-files.ts';

const page = readFileSync('docs/concurrency.md', 'utf8');
const product = sourceFiles('lib');
/** Folders in which every class is on the page. */
const complete = [
  ...['channels', 'outbox', 'membership', 'users', 'quota', 'cache'],
  ...['bus', 'cluster', 'redis'],
].map((name) => `lib/${name}/`);

const namesIn = (cell = ''): readonly string[] => [...cell.matchAll(/`(\w+)`/g)].map(([, name = '']) => name);

/** The rows of every table whose header begins with this word, as cells. */
function rowsOf(header: string): readonly (readonly string[])[] {
  return page
    .split('\n\n')
    .filter((block) => block.startsWith(`| ${header} |`))
    .flatMap((block) => block.trim().split('\n').slice(2))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

const classes = rowsOf('class').map(([name, , changedBy, mutators]) => ({
  name: namesIn(name)[0] ?? '',
  changedBy: changedBy ?? '',
  mutators: namesIn(mutators),
}));
const functions = rowsOf('function').map(([name, file]) => ({
  name: namesIn(name)[0] ?? '',
  path: (file ?? '').replaceAll('`', ''),
}));

/** The classes a file declares. */
function classesOf({ code }: SourceFile): readonly string[] {
  return [...code.matchAll(/^(?:export )?(?:abstract )?class (\w+)/gm)].map(([, name = '']) => name);
}

function fileOf(name: string): SourceFile | undefined {
  return product.find((file) => classesOf(file).includes(name));
}

/** The text of one class, from its name to the brace that ends it. */
function bodyOf(name: string): string {
  const code = fileOf(name)?.code ?? '';
  const from = code.search(new RegExp(`^(?:export )?(?:abstract )?class ${name}\\b`, 'm'));
  return from === -1 ? '' : code.slice(from, code.indexOf('\n}\n', from));
}

/** A method's declaration, up to its body. */
function declarationOf(body: string, method: string): string | undefined {
  return new RegExp(`^  (?:async )?\\*?${method}(?:<[^(]*>)?\\([\\s\\S]*?\\{$`, 'm').exec(body)?.[0];
}

/** Whether a method waits, or answers a promise; what it is given may be one. */
function waits(declaration: string): boolean {
  const answer = declaration.slice(declaration.lastIndexOf('): '));
  return declaration.trimStart().startsWith('async') || answer.includes('Promise');
}

describe('docs/concurrency.md', () => {
  test('is read: it names classes and functions', () => {
    expect([classes.length > 40, functions.length > 3]).toEqual([true, true]);
  });

  test('names each class once', () => {
    const names = classes.map(({ name }) => name);
    expect(names).toEqual([...new Set(names)]);
  });

  test('leaves out no class of the folders that hold state', () => {
    const files = product.filter(({ path }) => complete.some((folder) => path.startsWith(folder)));
    const named = new Set(classes.map(({ name }) => name));
    expect(files.flatMap(classesOf).filter((name) => !named.has(name))).toEqual([]);
  });

  describe.each(classes.map((row) => [row.name, row] as const))('%s', (name, { changedBy, mutators }) => {
    test('exists', () => {
      expect(fileOf(name)).toBeDefined();
    });

    test('is changed by classes that exist', () => {
      const others = namesIn(changedBy).filter((other) => /^[A-Z]/.test(other));
      expect(others.filter((other) => fileOf(other) === undefined)).toEqual([]);
    });

    test('has the mutators it is said to have, and none of them waits or answers a promise', () => {
      const body = bodyOf(name);
      const wrong = mutators.filter((mutator) => {
        const declaration = declarationOf(body, mutator);
        return declaration === undefined || waits(declaration);
      });
      expect(wrong).toEqual([]);
    });
  });

  test.each(functions.map(({ name, path }) => [name, path] as const))(
    '%s is in its file, which neither waits nor answers a promise',
    (name, path) => {
      const file = product.find((one) => one.path === path);
      expect(file?.code).toMatch(new RegExp(`^export (?:function|const) ${name}\\b`, 'm'));
      expect(file?.code).not.toMatch(/\basync\b|\bawait\b|Promise|\.then\(/);
    },
  );
});
