import { Subject } from 'rxjs';
import type { SpillwayError } from '../../../lib/errors/spillway-error.ts';
import { parseChannelName } from '../../../lib/protocol/channel-name.ts';
import type { StageStats } from '../../../lib/stages/bound-stage.ts';
import { defineStage, type SlotStage } from '../../../lib/stages/define-stage.ts';
import type { PublishedEvent } from '../../../lib/stages/events.ts';
import { errorExit, pipeline } from '../../../lib/stages/pipeline.ts';
import { runPipeline } from '../../../lib/stages/runner.ts';
import { specParts } from '../spec-parts.ts';

/** A promise of a value that the spec gives. */
export function promised<T>() {
  let resolve!: (value: T) => void;
  let reject!: (reason: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

export interface EventRunOptions {
  /** Called by the error exit, after it was noted. */
  readonly onRefused?: (error: SpillwayError) => void;
  readonly aborter?: AbortController;
}

/**
 * Runs stages of users in the slot `publish:accepted`, between an order per channel and a stage of the product's own that
 * notes what came through. Items are known by their data.
 */
export function runEvents(stages: readonly SlotStage[], options: EventRunOptions = {}) {
  const { parts, log, clock } = specParts();
  const { signal } = options.aborter ?? new AbortController();
  const app = parts.apps.byId('app-1')!;
  const out: string[] = [];
  const refused: (readonly [data: string, code: string])[] = [];
  const errors: SpillwayError[] = [];
  const collect = defineStage({
    name: 'collect',
    map: (event: PublishedEvent): PublishedEvent => {
      out.push(event.data);
      return event;
    },
  });
  const exit = errorExit([], (error, { data }: PublishedEvent) => {
    refused.push([data, error.code]);
    errors.push(error);
    options.onRefused?.(error);
  });
  const events = pipeline<PublishedEvent, PublishedEvent>('publish')
    .inOrder('publishLanes', ({ channel }: PublishedEvent) => channel.name)
    .slot('publish:accepted')
    .to(collect)
    .refused(exit);
  const source$ = new Subject<PublishedEvent>();
  const running = runPipeline(events, source$, parts, { stages, signal });
  const send = (...items: readonly string[]): void => {
    for (const item of items) {
      const [data = '', channel = 'room'] = item.split('@');
      const name = parseChannelName(channel)!;
      source$.next({ app, channel: name, event: 'spec', data, exceptSocketId: undefined });
    }
  };
  return {
    parts,
    log,
    clock,
    out,
    refused,
    errors,
    /** Sends items: `data`, or `data@channel`. */
    send,
    complete: () => source$.complete(),
    completed: running.completed,
    stages: running.stats.map(({ stage }) => stage),
    stats: (stage: string): StageStats => running.stats.find((stats) => stats.stage === stage)!,
  };
}
