import { describe, expect, test } from '@jest/globals';
import { SendGate } from '../../../lib/cluster/send-gate.ts';
import { later, settled } from '../flow/promises.ts';

describe('a gate of two', () => {
  test('lets two in at once, and the others in the order they came', async () => {
    const gate = new SendGate(2);
    const begun: number[] = [];
    const ends = [0, 1, 2, 3].map(() => later());
    const works = ends.map(({ promise }, i) =>
      gate.run(() => {
        begun.push(i);
        return promise;
      }),
    );
    expect([begun, gate.inFlight, gate.waiting]).toEqual([[0, 1], 2, 2]);
    ends[1]?.resolve();
    await settled();
    expect([begun, gate.inFlight, gate.waiting]).toEqual([[0, 1, 2], 2, 1]);
    for (const { resolve } of ends) resolve();
    await Promise.all(works);
    expect([begun, gate.inFlight, gate.waiting]).toEqual([[0, 1, 2, 3], 0, 0]);
  });

  test('gives back the result, and the slot of work that failed', async () => {
    const gate = new SendGate(1);
    const failed = gate.run(() => Promise.reject(new Error('no')));
    const done = gate.run(() => Promise.resolve('done'));
    await expect(failed).rejects.toThrow('no');
    expect(await done).toBe('done');
    expect(gate.inFlight).toBe(0);
  });
});
