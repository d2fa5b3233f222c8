import { describe, expect, test } from '@jest/globals';
import type { EventEntry } from '../../../lib/telemetry/event-entry.ts';
import { events } from '../../../lib/telemetry/events.ts';
import type { LogDestination } from '../../../lib/telemetry/log-destination.ts';
import { type LogStreamOptions, toLogStream } from '../../../lib/telemetry/log-stream.ts';
import { Telemetry } from '../../../lib/telemetry/telemetry.ts';

class Collected implements LogDestination {
  readonly lines: string[] = [];
  readonly dropped = 0;
  closed = false;

  write(line: string): void {
    this.lines.push(line);
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  get records(): Record<string, unknown>[] {
    return this.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}

function logging(options: Partial<LogStreamOptions> = {}, now = () => 0) {
  const destination = new Collected();
  const telemetry = new Telemetry({ now, ...(options.level && { level: options.level }) });
  const log = toLogStream({ nodeId: 'node-1', destination, ...options });
  telemetry.events$.subscribe(log);
  return { destination, telemetry, log };
}

describe('the log stream', () => {
  test('is one line of JSON per event: level, node, time, fields and msg', () => {
    const { destination, telemetry } = logging();
    telemetry.emit('channel.occupied', { appId: 'app-id', channel: 'room' });
    expect(destination.lines[0]).toMatch(/^\{.*\}\n$/);
    expect(destination.records).toEqual([
      {
        level: 'info',
        nodeId: 'node-1',
        time: '1970-01-01T00:00:00.000Z',
        appId: 'app-id',
        channel: 'room',
        msg: 'channel.occupied',
      },
    ]);
  });

  test('has every key once: no event has a field that stands in every line', () => {
    const fields = Object.values(events).flatMap((entry: EventEntry) => Object.keys(entry.fields));
    expect(fields.filter((field) => ['level', 'time', 'nodeId', 'msg'].includes(field))).toEqual([]);
  });

  test('begins with level, time and node', () => {
    const { destination, telemetry } = logging();
    telemetry.emit('channel.occupied', { appId: 'app-id', channel: 'room' });
    expect(destination.lines[0]).toBe(
      '{"level":"info","time":"1970-01-01T00:00:00.000Z","nodeId":"node-1","appId":"app-id","channel":"room","msg":"channel.occupied"}\n',
    );
  });

  test('each line has the time of its own event', () => {
    const times = [0, 0, 1, 0];
    const { destination, telemetry } = logging({}, () => times.shift() ?? 0);
    for (let n = 0; n < 4; n++) telemetry.emit('channel.occupied', { appId: 'a', channel: 'c' });
    const at = (ms: number): string => new Date(ms).toISOString();
    expect(destination.records.map(({ time }) => time)).toEqual([at(0), at(0), at(1), at(0)]);
  });

  test('leaves out fields that are undefined', () => {
    const { destination, telemetry } = logging();
    telemetry.emit('message.refused', {
      appId: 'a',
      socketId: '1.1',
      code: 'message.binary',
      event: undefined,
    });
    expect(destination.records[0]).not.toHaveProperty('event');
  });

  test('a newline in what a client sent does not make a second line', () => {
    const { destination, telemetry } = logging();
    telemetry.emit('channel.occupied', { appId: 'a', channel: 'x\n{"msg":"forged"}' });
    expect(destination.lines.join('').split('\n')).toHaveLength(2);
  });

  test('writes only what passes its level, and follows a change', () => {
    const { destination, telemetry, log } = logging({ level: 'warn' });
    telemetry.emit('channel.occupied', { appId: 'a', channel: 'c' });
    telemetry.emit('stage.tripped', { stage: 'tag' });
    log.setLevel('info');
    telemetry.emit('channel.vacated', { appId: 'a', channel: 'c' });
    expect(destination.records.map(({ msg }) => msg)).toEqual(['stage.tripped', 'channel.vacated']);
  });

  test.each(['debug', 'info', 'silent'] as const)('level %s decides about debug events', (level) => {
    const { destination, telemetry } = logging({ level });
    telemetry.emit('member.added', { appId: 'a', channel: 'c', userId: 'u' });
    expect(destination.lines).toHaveLength(level === 'debug' ? 1 : 0);
  });

  test('writes an error with code, message, stack and cause', () => {
    const { destination, telemetry } = logging();
    const err = new Error('outer', { cause: new Error('inner') });
    telemetry.emit('stage.failed', { stage: 'tag', pipeline: 'publish', code: 'stage.failed', err });
    expect(destination.records[0]).toMatchObject({
      level: 'error',
      msg: 'stage.failed',
      err: {
        type: 'Error',
        message: 'outer',
        stack: expect.stringContaining('outer'),
        cause: { message: 'inner' },
      },
    });
  });

  test('censors secrets in whatever was thrown', () => {
    const { destination, telemetry } = logging();
    const err = { app: { id: 'app-id', secret: 'hush' }, frame: { auth: 'hush', channel_data: 'hush' } };
    telemetry.emit('stage.failed', { stage: 'tag', pipeline: 'publish', code: 'stage.failed', err });
    expect(destination.lines[0]).not.toContain('hush');
    expect(destination.records[0]).toMatchObject({ err: { app: { id: 'app-id', secret: '[Redacted]' } } });
  });

  test('an event that cannot be formatted is counted, not thrown', () => {
    const { destination, telemetry, log } = logging();
    const err = Object.defineProperty({}, 'trap', {
      enumerable: true,
      get: () => {
        throw new Error('trap');
      },
    });
    telemetry.emit('stage.failed', { stage: 'tag', pipeline: 'publish', code: 'stage.failed', err });
    telemetry.emit('stage.tripped', { stage: 'tag' });
    expect(log.dropped).toBe(1);
    expect(destination.records.map(({ msg }) => msg)).toEqual(['stage.tripped']);
  });

  test('on a terminal writes one readable line per event', () => {
    const { destination, telemetry } = logging({ pretty: true });
    telemetry.emit('channel.occupied', { appId: 'app-id', channel: 'room' });
    expect(destination.lines).toHaveLength(1);
    expect(destination.lines[0]).toMatch(/INFO.*channel\.occupied.*"channel":"room"/);
  });

  test('closes its destination', async () => {
    const { destination, log } = logging();
    await log.close();
    expect(destination.closed).toBe(true);
  });
});
