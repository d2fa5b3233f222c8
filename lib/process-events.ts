import type { Telemetry } from './telemetry/telemetry.ts';

/** Takes what Node.js says of this process into the log stream, until the function it answers is called. */
export function watchProcess(telemetry: Telemetry): () => void {
  const onFatal = (err: unknown): void => telemetry.emit('server.failed', { code: 'internal', err });
  const onWarning = ({ name, message, stack }: Error): void =>
    telemetry.emit('process.warning', { name, message, code: undefined, stack });
  process.on('uncaughtExceptionMonitor', onFatal);
  process.on('warning', onWarning);
  return () => {
    process.off('uncaughtExceptionMonitor', onFatal);
    process.off('warning', onWarning);
  };
}
