// The other end of bench/support/load-process.ts: answers commands that come over the channel to the parent.
import { getPriority, setPriority } from 'node:os';
import process from 'node:process';

/** Gives way to those that measure: what a measurement waits for must be the server. */
export function giveWay() {
  setPriority(0, Math.max(10, getPriority()));
}

/** Runs `handlers[verb](options)` for each command and sends back what it answers. */
export function serve(handlers) {
  process.on('message', async ({ id, verb, options }) => {
    try {
      process.send({ id, result: await handlers[verb](options) });
    } catch (error) {
      process.send({ id, error: error.stack });
    }
  });
  process.on('disconnect', () => process.exit(0));
}
