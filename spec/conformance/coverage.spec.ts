import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';

const folder = 'spec/conformance';
const section = /^\d+(\.\d+)* /;

/** The names of all cases in a spec file: the first argument of `it(…)` and of `it.each(…)(…)`. */
function caseNames(file: string): readonly string[] {
  const names: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && isCase(node.expression)) {
      const [name] = node.arguments;
      if (name === undefined || !ts.isStringLiteralLike(name))
        throw new Error(`${file}: a case without a name`);
      names.push(name.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, readFileSync(join(folder, file), 'utf8'), ts.ScriptTarget.ESNext));
  return names;
}

function isCase(callee: ts.Expression): boolean {
  if (ts.isIdentifier(callee)) return callee.text === 'it';
  return ts.isCallExpression(callee) && ts.isPropertyAccessExpression(callee.expression)
    ? isCase(callee.expression.expression)
    : false;
}

/** The cases of the first table: its third column, each under the section of its first. */
function tableNames(text: string): readonly string[] {
  const [table = ''] = text.split('## Rules without a case');
  return [...table.matchAll(/^\| ([\d.]+) \| .*? \| (.*) \|$/gm)].flatMap(([, number = '', cases = '']) =>
    [...cases.matchAll(/`([^`]+)`/g)].map(([, name = '']) => `${number} ${name}`),
  );
}

describe('docs/conformance.md', () => {
  const files = readdirSync(folder).filter(
    (file) => file.endsWith('.spec.ts') && file !== 'coverage.spec.ts',
  );
  const cases = files.flatMap(caseNames);
  const table = tableNames(readFileSync('docs/conformance.md', 'utf8'));

  it('names every case once', () => {
    expect([...table].sort()).toEqual([...cases].sort());
    expect(new Set(cases).size).toBe(cases.length);
  });

  it('puts every case under a section', () => {
    expect(cases.filter((name) => !section.test(name))).toEqual([]);
  });
});
