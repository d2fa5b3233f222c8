import { describe, expect, jest, test } from '@jest/globals';
import { defineStage } from '../../../lib/stages/define-stage.ts';
import { runEvents } from './event-run.ts';

const slot = 'publish:accepted';

describe('the context of a stage', () => {
  test('has the services it names and no others', () => {
    const seen: object[] = [];
    const look = defineStage({
      name: 'look',
      slot,
      needs: ['apps'],
      tap: (_, context) => seen.push(context),
    });
    const { send } = runEvents([look]);
    send('a');
    expect(Object.keys(seen[0]!).sort()).toEqual(
      ['stage', 'log', 'clock', 'signal', 'metrics', 'publish', 'app', 'apps'].sort(),
    );
  });

  test('writes lines into the log under the name of the stage', () => {
    const say = defineStage({ name: 'say', slot, tap: (_, { log }) => log.warn('careful', 'now') });
    const { send, log } = runEvents([say]);
    send('a');
    expect(log.all('stage.warning')).toEqual([{ stage: 'say', message: 'careful', detail: 'now' }]);
  });

  test('never shows the secrets of an app', () => {
    const seen: unknown[] = [];
    const look = defineStage({
      name: 'look',
      slot,
      tap: (_, { app }) => seen.push(app('app-1'), app('none')),
    });
    const { send } = runEvents([look]);
    send('a');
    expect(seen).toEqual([{ id: 'app-1', name: undefined }, undefined]);
  });

  test('publishes past the slots', () => {
    const echo = defineStage({
      name: 'echo',
      slot,
      tap: ({ app, channel }, { publish }) =>
        publish({ appId: app.id, channel: channel.name, event: 'echo', data: '' }),
    });
    const { send, parts, stats } = runEvents([echo]);
    const publish = jest.spyOn(parts.bus, 'publish');
    send('a');
    expect([publish.mock.calls.length, stats('echo').received]).toEqual([1, 1]);
  });

  test.each([
    ['an app that does not exist', { appId: 'none', channel: 'room', event: 'e', data: '' }],
    ['what is no channel name', { appId: 'app-1', channel: 'no room', event: 'e', data: '' }],
  ])('does not publish to %s', (_, event) => {
    const wrong = defineStage({ name: 'wrong', slot, tap: (_item, { publish }) => publish(event) });
    const { send, stats } = runEvents([wrong]);
    send('a');
    expect(stats('wrong').failed).toBe(1);
  });

  test('tells when the server stops', () => {
    const signals: AbortSignal[] = [];
    const look = defineStage({ name: 'look', slot, tap: (_, { signal }) => signals.push(signal) });
    const aborter = new AbortController();
    const { send } = runEvents([look], { aborter });
    send('a');
    aborter.abort();
    expect(signals[0]!.aborted).toBe(true);
  });
});
