import type { RunningServer } from '../server.ts';
import type { SignalSource, StopSignal } from './terminal.ts';

/**
 * Starts a server, waits for SIGTERM or SIGINT, stops it. Resolves to the exit code: 0 after a stop, 1 when a second
 * signal came before it was over. A signal during the start stops the server as soon as it runs.
 */
export async function untilSignal(
  source: SignalSource,
  start: () => Promise<RunningServer>,
): Promise<number> {
  const first = signalled();
  const second = signalled();
  const onSignal = (signal: StopSignal): void => {
    if (first.isDone()) second.done(signal);
    else first.done(signal);
  };
  source.on('SIGTERM', onSignal);
  source.on('SIGINT', onSignal);
  try {
    return await Promise.race([lifetime(start, first.promise), second.promise.then(() => 1)]);
  } finally {
    source.off('SIGTERM', onSignal);
    source.off('SIGINT', onSignal);
  }
}

async function lifetime(start: () => Promise<RunningServer>, stopped: Promise<StopSignal>): Promise<number> {
  const server = await start();
  await server.stop(await stopped);
  return 0;
}

function signalled() {
  let resolve: ((signal: StopSignal) => void) | undefined;
  let isDone = false;
  const promise = new Promise<StopSignal>((settle) => {
    resolve = settle;
  });
  const done = (signal: StopSignal): void => {
    isDone = true;
    resolve?.(signal);
  };
  return { promise, done, isDone: () => isDone };
}
