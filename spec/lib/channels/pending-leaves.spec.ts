import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { PendingLeaves } from '../../../lib/channels/pending-leaves.ts';
import type { PendingLeave } from '../../../lib/channels/subscription.ts';
import { SpecNode } from './node.ts';

const channel = new SpecNode().channel('room');

function leaveOf(n: number): PendingLeave {
  return { channel, socketId: `1.${n}`, incarnation: n, userId: undefined, state: 'untold' };
}

describe('pending leaves', () => {
  test('are told in the order in which they came, less those that are carried or were heard', () => {
    const pending = new PendingLeaves();
    const [first, second, third] = [leaveOf(1), leaveOf(2), leaveOf(3)] as const;
    for (const leave of [first, second, third]) pending.add(leave);
    second.state = 'carried';
    expect(pending.untold()).toEqual([first, third]);
    pending.heard(first);
    expect(pending.untold()).toEqual([third]);
    expect(pending.size).toBe(2);
  });

  test('are heard once', () => {
    const pending = new PendingLeaves();
    const leaves = [leaveOf(1), leaveOf(2)] as const;
    for (const leave of leaves) pending.add(leave);
    pending.heard(leaves[0]);
    pending.heard(leaves[0]);
    expect(pending.size).toBe(1);
  });

  test('that were heard are let go of while others come', () => {
    const pending = new PendingLeaves();
    const leaves = Array.from({ length: 5_000 }, (_, n) => leaveOf(n));
    leaves.forEach((leave, n) => {
      pending.add(leave);
      const former = leaves[n - 10];
      if (former !== undefined) pending.heard(former);
    });
    expect(pending.untold()).toEqual(leaves.slice(-10));
    expect(pending.kept).toBeLessThan(300);
  });

  test('are those of a set, whatever comes and is heard', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 200 }), { size: 'max', maxLength: 2_000 }), (steps) => {
        const pending = new PendingLeaves();
        const model = new Set<PendingLeave>();
        steps.forEach((step, n) => {
          const heard = step % 3 === 0 ? undefined : [...model][step % (model.size + 1)];
          if (heard === undefined) {
            const leave = leaveOf(n);
            pending.add(leave);
            model.add(leave);
          } else {
            pending.heard(heard);
            model.delete(heard);
          }
        });
        expect(pending.size).toBe(model.size);
        expect(pending.untold()).toEqual([...model]);
      }),
    );
  });
});
