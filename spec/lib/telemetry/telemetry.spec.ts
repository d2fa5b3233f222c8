import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { config } from 'rxjs';
import type { EventFields } from '../../../lib/telemetry/events.ts';
import { Telemetry, type TelemetryEvent } from '../../../lib/telemetry/telemetry.ts';

const occupied = { appId: 'app-id', channel: 'room' };

function listening(telemetry: Telemetry): TelemetryEvent[] {
  const seen: TelemetryEvent[] = [];
  telemetry.events$.subscribe((event) => seen.push(event));
  return seen;
}

describe('telemetry', () => {
  afterEach(() => {
    config.onUnhandledError = null;
  });

  test('hands an event to its listeners with name, level, time and fields', () => {
    const telemetry = new Telemetry({ now: () => 1000 });
    const seen = listening(telemetry);
    telemetry.emit('channel.occupied', occupied);
    expect(seen).toEqual([{ name: 'channel.occupied', level: 'info', time: 1000, fields: occupied }]);
  });

  test('with debug off builds nothing: fields are not read, the clock is not asked', () => {
    const now = jest.fn(() => 0);
    const telemetry = new Telemetry({ now });
    const seen = listening(telemetry);
    const untouchable = new Proxy({} as EventFields<'message.received'>, {
      get: () => {
        throw new Error('a field was read');
      },
    });
    telemetry.emit('message.received', untouchable);
    expect(telemetry.isEnabled('message.received')).toBe(false);
    expect(now).not.toHaveBeenCalled();
    expect(seen).toEqual([]);
  });

  test('with debug on says yes before the fields are built, and emits', () => {
    const telemetry = new Telemetry({ level: 'debug' });
    const seen = listening(telemetry);
    expect(telemetry.isEnabled('member.added')).toBe(true);
    telemetry.emit('member.added', { appId: 'a', channel: 'presence-x', userId: 'u' });
    expect(seen).toHaveLength(1);
  });

  test('changes level while running', () => {
    const telemetry = new Telemetry();
    const seen = listening(telemetry);
    telemetry.setLevel('debug');
    telemetry.emit('member.added', { appId: 'a', channel: 'c', userId: 'u' });
    telemetry.setLevel('info');
    telemetry.emit('member.added', { appId: 'a', channel: 'c', userId: 'u' });
    expect(seen).toHaveLength(1);
  });

  test.each(['warn', 'error', 'silent'] as const)(
    'emits info events at level %s too, for the metrics',
    (level) => {
      const telemetry = new Telemetry({ level });
      const seen = listening(telemetry);
      telemetry.emit('channel.occupied', occupied);
      expect(seen).toHaveLength(1);
    },
  );

  test('is off without listeners', () => {
    expect(new Telemetry({ level: 'debug' }).isEnabled('server.stopped')).toBe(false);
  });

  test('a listener that throws breaks neither the emitter nor the other listeners', async () => {
    const reported = new Promise((resolve) => {
      config.onUnhandledError = resolve;
    });
    const telemetry = new Telemetry();
    let calls = 0;
    telemetry.events$.subscribe(() => {
      calls += 1;
      if (calls === 1) throw new Error('listener');
    });
    const seen = listening(telemetry);
    telemetry.emit('channel.occupied', occupied);
    telemetry.emit('channel.occupied', occupied);
    expect(seen).toHaveLength(2);
    expect(calls).toBe(2);
    await expect(reported).resolves.toMatchObject({ message: 'listener' });
  });

  test('does not hand out its subject', () => {
    expect(new Telemetry().events$).not.toHaveProperty('next');
  });

  test('after close nothing is emitted and nobody is asked', () => {
    const telemetry = new Telemetry();
    const seen = listening(telemetry);
    telemetry.close();
    telemetry.emit('channel.occupied', occupied);
    expect(seen).toEqual([]);
    expect(telemetry.isEnabled('channel.occupied')).toBe(false);
  });
});
