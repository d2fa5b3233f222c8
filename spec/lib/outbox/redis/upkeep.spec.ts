import { describe, expect, test } from '@jest/globals';
import { Upkeep } from '../../../../lib/outbox/redis/upkeep.ts';
import { StoreAway } from '../../../../lib/redis/store-link.ts';

function gate() {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

function makeUpkeep() {
  const failures: unknown[] = [];
  return { failures, upkeep: new Upkeep((error) => failures.push(error)) };
}

describe('upkeep', () => {
  test('is at rest when nothing was asked for', async () => {
    await expect(makeUpkeep().upkeep.idle()).resolves.toBeUndefined();
  });

  test('does a task of a name once at a time, and once more when it was asked for meanwhile', async () => {
    const { upkeep } = makeUpkeep();
    const { opened, open } = gate();
    const done: string[] = [];
    upkeep.run('fold', async () => {
      await opened;
      done.push('first');
    });
    for (const name of ['second', 'third']) {
      upkeep.run('fold', () => {
        done.push(name);
        return Promise.resolve();
      });
    }
    open();
    await upkeep.idle();
    expect(done).toEqual(['first', 'third']);
  });

  test('does tasks of other names meanwhile', async () => {
    const { upkeep } = makeUpkeep();
    const { opened, open } = gate();
    upkeep.run('fold', () => opened);
    upkeep.run('sweep', () => {
      open();
      return Promise.resolve();
    });
    await expect(upkeep.idle()).resolves.toBeUndefined();
  });

  test('tells of what failed, and not that the store is away', async () => {
    const { upkeep, failures } = makeUpkeep();
    const failure = new Error('a script failed');
    upkeep.run('fold', () => Promise.reject(failure));
    upkeep.run('sweep', () => Promise.reject(new StoreAway('no answer')));
    await upkeep.idle();
    expect(failures).toEqual([failure]);
  });

  test('goes on after a failure', async () => {
    const { upkeep } = makeUpkeep();
    let runs = 0;
    const fails = (): Promise<void> => {
      runs++;
      return Promise.reject(new Error('a script failed'));
    };
    upkeep.run('fold', fails);
    upkeep.run('fold', fails);
    await upkeep.idle();
    upkeep.run('fold', fails);
    await upkeep.idle();
    expect(runs).toBe(3);
  });

  test('begins nothing after its end', async () => {
    const { upkeep } = makeUpkeep();
    const { opened, open } = gate();
    let runs = 0;
    const task = async (): Promise<void> => {
      runs++;
      await opened;
    };
    upkeep.run('fold', task);
    upkeep.run('fold', task);
    upkeep.close();
    upkeep.run('sweep', task);
    open();
    await upkeep.idle();
    expect(runs).toBe(1);
  });
});
