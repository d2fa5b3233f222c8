import { describe, expect, test } from '@jest/globals';
import { defineStage } from '../../../lib/stages/define-stage.ts';
import type { PublishedEvent } from '../../../lib/stages/events.ts';
import { errorExit, pipeline } from '../../../lib/stages/pipeline.ts';

const same = (event: PublishedEvent) => event;
const begin = () => pipeline<PublishedEvent, PublishedEvent>('spec');
const nobody = errorExit(['telemetry'], () => undefined);

describe('a pipeline', () => {
  test('lists its steps as they were written', () => {
    const { steps } = begin()
      .to(defineStage({ name: 'first', map: same }))
      .inOrder('publishLanes', ({ data }: PublishedEvent) => data)
      .slot('publish:accepted')
      .refused(nobody);
    expect(steps).toMatchObject([
      { kind: 'stage', stage: { name: 'first' } },
      { kind: 'in-order', lanes: 'publishLanes' },
      { kind: 'slot', slot: 'publish:accepted' },
    ]);
  });

  test('needs what its stages and its error exit need', () => {
    const { needs } = begin()
      .to(defineStage({ name: 'a', needs: ['bus'], map: same }))
      .to(defineStage({ name: 'b', needs: ['clock', 'bus'], map: same }))
      .refused(nobody);
    expect(new Set(needs)).toEqual(new Set(['bus', 'clock', 'telemetry']));
  });

  test('that goes on in two ways is two pipelines', () => {
    const start = begin().to(defineStage({ name: 'first', map: same }));
    start.to(defineStage({ name: 'second', map: same }));
    expect(start.refused(nobody).steps.length).toBe(1);
  });
});
