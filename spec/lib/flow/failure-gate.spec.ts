import { beforeEach, describe, expect, test } from '@jest/globals';
import { FailureGate } from '../../../lib/flow/failure-gate.ts';

describe('a failure gate', () => {
  let now: number;
  let gate: FailureGate;

  beforeEach(() => {
    now = 1_000;
    gate = new FailureGate({ threshold: 3, resetMs: 500, clock: { now: () => now } });
  });

  function open(): void {
    for (let i = 0; i < 3; i++) gate.failed();
  }

  test('admits every call while it is closed', () => {
    expect(gate.isOpen).toBe(false);
    expect([gate.admits(), gate.admits(), gate.admits()]).toEqual([true, true, true]);
  });

  test('opens at the last of `threshold` failures in a row, and says so once', () => {
    expect([gate.failed(), gate.failed(), gate.failed(), gate.failed()]).toEqual([false, false, true, false]);
    expect(gate.isOpen).toBe(true);
  });

  test('stays closed when a success comes between the failures', () => {
    gate.failed();
    gate.failed();
    expect(gate.succeeded()).toBe(false);
    gate.failed();
    gate.failed();
    expect(gate.isOpen).toBe(false);
    expect(gate.admits()).toBe(true);
  });

  test('refuses until `resetMs` have passed', () => {
    open();
    expect(gate.admits()).toBe(false);
    now += 499;
    expect(gate.admits()).toBe(false);
    now += 1;
    expect(gate.admits()).toBe(true);
  });

  test('lets one call through to try, not two', () => {
    open();
    now += 500;
    expect([gate.admits(), gate.admits()]).toEqual([true, false]);
  });

  test('closes when the try succeeds, and says so once', () => {
    open();
    now += 500;
    gate.admits();
    expect([gate.succeeded(), gate.succeeded()]).toEqual([true, false]);
    expect(gate.isOpen).toBe(false);
    expect([gate.admits(), gate.admits()]).toEqual([true, true]);
  });

  test('needs `threshold` failures again after it closed', () => {
    open();
    now += 500;
    gate.admits();
    gate.succeeded();
    expect([gate.failed(), gate.failed(), gate.failed()]).toEqual([false, false, true]);
  });

  test('refuses for another `resetMs`, from the failure on, when the try fails', () => {
    open();
    now += 500;
    gate.admits();
    now += 100;
    gate.failed();
    now += 499;
    expect(gate.admits()).toBe(false);
    now += 1;
    expect(gate.admits()).toBe(true);
  });

  test('lets another call try when the first never told its outcome', () => {
    open();
    now += 500;
    gate.admits();
    now += 499;
    expect(gate.admits()).toBe(false);
    now += 1;
    expect(gate.admits()).toBe(true);
  });
});
