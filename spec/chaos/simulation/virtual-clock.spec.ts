import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Process, VirtualClock } from './virtual-clock.ts';

let clock: VirtualClock;
const said: string[] = [];
beforeEach(() => {
  said.length = 0;
  clock = new VirtualClock(1_700_000_000_000);
  clock.install();
});
afterEach(() => clock.uninstall());

function say(text: string): () => void {
  return () => void said.push(`${Date.now() - 1_700_000_000_000} ${text}`);
}

describe('virtual time', () => {
  test('runs timers in the order of their times, and those of one time in the order in which they were made', async () => {
    setTimeout(say('late'), 30);
    setTimeout(say('first'), 10);
    setTimeout(say('second'), 10);
    setImmediate(say('at once'));
    await clock.elapse(20);
    expect(said).toEqual(['0 at once', '10 first', '10 second']);
    await clock.elapse(20);
    expect(said.at(-1)).toBe('30 late');
    expect([Date.now(), new Date().getTime(), performance.now()]).toEqual([
      1_700_000_000_040, 1_700_000_000_040, 40,
    ]);
  });

  test('settles the promises of a timer before the next one', async () => {
    setTimeout(() => void Promise.resolve().then(say('promise')).then(say('its promise')), 5);
    setTimeout(say('timer'), 5);
    await clock.elapse(5);
    expect(said).toEqual(['5 promise', '5 its promise', '5 timer']);
  });

  test('repeats intervals until they are cleared', async () => {
    const interval = setInterval(say('tick'), 10);
    await clock.elapse(25);
    clearInterval(interval);
    await clock.elapse(25);
    expect(said).toEqual(['10 tick', '20 tick']);
  });

  test('passes until some work is done, and says which was not', async () => {
    const answer = new Promise<string>((resolve) => setTimeout(() => resolve('done'), 50));
    await expect(clock.until('an answer', answer)).resolves.toBe('done');
    const never = new Promise<string>(() => undefined);
    await expect(clock.until('a miracle', never, 100)).rejects.toThrow('a miracle: not done within 100 ms');
  });
});

describe('a process', () => {
  test('that is paused runs what was due when it is resumed, in order, and what follows from it is its own', async () => {
    const node = new Process();
    clock.as(node, () => {
      setTimeout(say('one'), 10);
      setTimeout(() => {
        say('two')();
        setTimeout(say('what follows'), 5);
      }, 20);
    });
    setTimeout(say('somebody else'), 15);
    node.pause();
    await clock.elapse(50);
    expect(said).toEqual(['15 somebody else']);
    clock.resume(node);
    await clock.elapse(2);
    node.pause();
    await clock.elapse(50);
    expect(said.slice(1)).toEqual(['50 one', '50 two']);
  });

  test('that was killed runs nothing any more', async () => {
    const node = new Process();
    clock.as(node, () => setTimeout(say('never'), 10));
    void clock.within(node, () => Promise.resolve().then(say('once')));
    await clock.elapse(5);
    node.kill();
    clock.post(node, say('never'));
    await clock.elapse(50);
    expect(said).toEqual(['0 once']);
  });
});
