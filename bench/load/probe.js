// Loaded into a server's process with --import: measures how long its JavaScript runs without a break, and how late its
// event loop is. A slice is one callback with the ticks and promises that follow it. Its own part is the processor time it
// took less the garbage collection in it: time in which another process ran is nobody's work.
import { createHook, executionAsyncResource } from 'node:async_hooks';
import { createHistogram, monitorEventLoopDelay, PerformanceObserver, performance } from 'node:perf_hooks';
import process from 'node:process';

const slices = createHistogram();
const delay = monitorEventLoopDelay({ resolution: 1 });
/** Slices of more than a millisecond: rare enough to be kept. */
let long = [];
let collections = [];
let depth = 0;
let startedMs = 0;
let startedCpu = process.cpuUsage();
let current = { fromMs: 0, ms: 0, cpuMs: 0, callbacks: 0, kind: '' };

new PerformanceObserver((list) => {
  for (const { startTime, duration } of list.getEntries())
    collections.push({ fromMs: startTime, ms: duration });
}).observe({ entryTypes: ['gc'] });

createHook({
  before() {
    if (depth++ > 0) return;
    startedMs = performance.now();
    startedCpu = process.cpuUsage();
    const kind = executionAsyncResource()?.constructor?.name ?? '';
    // Ticks and promises belong to the callback before them: the loop does not turn in between.
    if (kind !== 'Object' && kind !== 'Promise' && kind !== 'AsyncResource') finish(kind);
  },
  after() {
    if (--depth > 0) return;
    const { user, system } = process.cpuUsage(startedCpu);
    current.ms += performance.now() - startedMs;
    current.cpuMs += (user + system) / 1000;
    current.callbacks++;
  },
}).enable();

function finish(kind) {
  slices.record(Math.max(1, Math.round(current.ms * 1e6)));
  if (current.ms > 1) long.push(current);
  current = { fromMs: startedMs, ms: 0, cpuMs: 0, callbacks: 0, kind };
}

const commands = {
  reset() {
    slices.reset();
    delay.reset();
    delay.enable();
    long = [];
    collections = [];
  },
  read() {
    delay.disable();
    const own = long
      .map(({ fromMs, ms, cpuMs, callbacks, kind }) => ({
        ms: Math.max(0, Math.min(ms, cpuMs) - collectedIn(fromMs, fromMs + ms)),
        kind: `${kind} (${callbacks})`,
      }))
      .sort((one, other) => other.ms - one.ms);
    process.send({
      slices: slices.count,
      longest: own.slice(0, 5),
      sliceP99Ms: slices.percentile(99) / 1e6,
      ownMaxMs: own[0]?.ms ?? slices.max / 1e6,
      ownMaxKind: own[0]?.kind ?? '',
      above1Ms: own.filter(({ ms }) => ms > 1).length,
      above5Ms: own.filter(({ ms }) => ms > 5).length,
      longestCollectionMs: Math.max(0, ...collections.map(({ ms }) => ms)),
      loopP99Ms: delay.percentile(99) / 1e6,
      loopMaxMs: delay.max / 1e6,
    });
  },
};

function collectedIn(fromMs, toMs) {
  return collections.reduce(
    (sum, { fromMs: start, ms }) => sum + Math.max(0, Math.min(toMs, start + ms) - Math.max(fromMs, start)),
    0,
  );
}

process.on('message', (verb) => commands[verb]?.());
process.channel.unref();
