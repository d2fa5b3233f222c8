import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import type { Step } from '../../lib/stages/pipeline.ts';
import { formsOfSlot } from '../../lib/stages/slots.ts';
import { connect } from '../../pipelines/connect.ts';
import { delivery } from '../../pipelines/delivery.ts';
import { disconnect } from '../../pipelines/disconnect.ts';
import { message } from '../../pipelines/message.ts';
import { publish } from '../../pipelines/publish.ts';
import { webhook } from '../../pipelines/webhook.ts';

const readme = readFileSync('pipelines/README.md', 'utf8');
/** The drawing of each pipeline: the part of the picture that names its folder. */
const drawings = new Map(
  (/```\n([\s\S]*?)```/.exec(readme)?.[1] ?? '')
    .split(/\n\n\n/)
    .map((part) => [/folder lib\/stages\/(\w+)/.exec(part)?.[1] ?? '', part]),
);

/** How the line of a step begins. */
function nameOf(step: Step): string {
  if (step.kind === 'in-order') return 'in order per';
  return step.kind === 'slot' ? `\n [${step.slot}]` : `\n ${step.stage.name} `;
}

describe.each(
  [connect, message, publish, disconnect, webhook, delivery].map(
    (pipeline) => [pipeline.name, pipeline] as const,
  ),
)('the drawing of %s in pipelines/README.md', (name, pipeline) => {
  const drawing = drawings.get(name) ?? '';

  it('has every stage and slot, in their order', () => {
    const places = pipeline.steps.map((step) => drawing.indexOf(nameOf(step)));
    expect(places).not.toContain(-1);
    expect(places).toEqual([...places].sort((a, b) => a - b));
  });

  it('shows the error exit', () => {
    expect(drawing).toContain('──✗');
  });

  it('names stages by the files they are in', () => {
    const stages = pipeline.steps.flatMap((step) => (step.kind === 'stage' ? [step.stage.name] : []));
    for (const stage of stages) expect(existsSync(`lib/stages/${name}/${stage}.ts`)).toBe(true);
  });
});

describe('the table of slots', () => {
  it.each(Object.entries(formsOfSlot))('says what a stage in %s may be', (slot, forms) => {
    const row = readme.split('\n').find((line) => line.startsWith(`| \`${slot}\``));
    expect([...((row ?? '').split('|')[3]?.matchAll(/`(\w+)`/g) ?? [])].map((match) => match[1])).toEqual([
      ...forms,
    ]);
  });
});

describe('the folders that pipelines/README.md sends readers to', () => {
  it('are there', () => {
    const folders = [...readme.matchAll(/`(lib\/[\w/]+)`/g)].map((match) => match[1] ?? '');
    expect(folders.length).toBeGreaterThan(10);
    for (const folder of folders) expect(existsSync(folder)).toBe(true);
  });
});
