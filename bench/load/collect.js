// Loaded into a server's process with --import, beside --expose-gc: collects all garbage when told to, and says what is
// left. What a process holds without being told is measured from outside, before.
import process from 'node:process';

process.on('message', (verb) => {
  if (verb !== 'collect') return;
  globalThis.gc();
  globalThis.gc();
  process.send(process.memoryUsage());
});
process.channel.unref();
