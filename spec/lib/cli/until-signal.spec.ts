import { describe, expect, it } from '@jest/globals';
import { untilSignal } from '../../../lib/cli/until-signal.ts';
import { FakeServer, FakeTerminal, settled } from './fake-terminal.ts';

describe('untilSignal', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('stops on %s and exits with 0', async (signal) => {
    const { signal: send, signals } = signalsOf();
    const server = new FakeServer();
    const exitCode = untilSignal(signals, () => Promise.resolve(server));
    await settled();
    expect(server.reasons).toEqual([]);
    send(signal);
    expect(await exitCode).toBe(0);
    expect(server.reasons).toEqual([signal]);
  });

  it('exits with 1 on a second signal, when the stop takes too long', async () => {
    const { signal: send, signals, terminal } = signalsOf();
    const server = new FakeServer();
    server.hangOnStop();
    const exitCode = untilSignal(signals, () => Promise.resolve(server));
    await settled();
    send('SIGTERM');
    await settled();
    send('SIGINT');
    expect(await exitCode).toBe(1);
    expect(server.reasons).toEqual(['SIGTERM']);
    expect(terminal.listenerCount).toBe(0);
  });

  it('stops a server that was told to stop while it started', async () => {
    const { signal: send, signals } = signalsOf();
    const server = new FakeServer();
    const exitCode = untilSignal(signals, async () => {
      send('SIGTERM');
      await settled();
      return server;
    });
    expect(await exitCode).toBe(0);
    expect(server.reasons).toEqual(['SIGTERM']);
  });

  it('exits with 1 on a second signal while a start hangs', async () => {
    const { signal: send, signals } = signalsOf();
    const exitCode = untilSignal(signals, () => new Promise<never>(() => undefined));
    send('SIGINT');
    send('SIGINT');
    expect(await exitCode).toBe(1);
  });

  it('passes on why a stop failed', async () => {
    const { signal: send, signals } = signalsOf();
    const stop = () => Promise.reject(new Error('stuck'));
    const exitCode = untilSignal(signals, () => Promise.resolve({ port: 1, adminPort: undefined, stop }));
    send('SIGTERM');
    await expect(exitCode).rejects.toThrow('stuck');
  });
});

function signalsOf() {
  const terminal = new FakeTerminal();
  return { terminal, signals: terminal.signals, signal: terminal.signal.bind(terminal) };
}
