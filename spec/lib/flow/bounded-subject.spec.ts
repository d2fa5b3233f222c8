import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Subscription } from 'rxjs';
import { take } from 'rxjs';
import {
  BoundedSubject,
  type BoundedSubjectConfig,
  type OverflowPolicy,
} from '../../../lib/flow/bounded-subject.ts';

function door(config: Partial<BoundedSubjectConfig> = {}) {
  const clock = { at: 1_000, now: () => clock.at };
  const subject = new BoundedSubject<number>({ capacity: 3, policy: 'reject', clock, ...config });
  const seen: (number | 'end')[] = [];
  const listen = (): Subscription =>
    subject.subscribe({ next: (item) => seen.push(item), complete: () => seen.push('end') });
  const fill = (...items: number[]): boolean[] => items.map((item) => subject.offer(item));
  return { subject, clock, seen, listen, fill };
}

describe('a bounded subject', () => {
  test('hands items on at once, in the order they came', () => {
    const { seen, listen, fill } = door();
    listen();
    expect(fill(1, 2, 3)).toEqual([true, true, true]);
    expect(seen).toEqual([1, 2, 3]);
  });

  test('keeps items that came before its subscriber, in order', () => {
    const { seen, listen, fill } = door();
    fill(1, 2);
    expect(seen).toEqual([]);
    listen();
    expect(seen).toEqual([1, 2]);
  });

  test('counts what waits and what is in work, until it is released', () => {
    const { subject, listen, fill } = door({ maxInWork: 1 });
    listen();
    fill(1, 2, 3);
    expect(subject.depth).toBe(3);
    subject.release();
    expect(subject.depth).toBe(2);
    subject.release();
    subject.release();
    expect(subject.depth).toBe(0);
  });

  test('hands on no more than `maxInWork` at once, and the next one for each release', () => {
    const { subject, seen, listen, fill } = door({ maxInWork: 2, capacity: 5 });
    listen();
    fill(1, 2, 3, 4, 5);
    expect(seen).toEqual([1, 2]);
    subject.release();
    expect(seen).toEqual([1, 2, 3]);
    subject.release(2);
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  test('takes a release too many without making room for more than its capacity', () => {
    const { subject, listen, fill } = door();
    listen();
    fill(1);
    subject.release(5);
    expect(subject.depth).toBe(0);
    expect(fill(1, 2, 3, 4)).toEqual([true, true, true, false]);
  });

  test('has room again after a release', () => {
    const { subject, listen, fill } = door();
    listen();
    expect(fill(1, 2, 3, 4)).toEqual([true, true, true, false]);
    subject.release();
    expect(fill(5, 6)).toEqual([true, false]);
  });

  test('tells the age of the item at the head, and 0 when none waits', () => {
    const { subject, clock, listen, fill } = door({ maxInWork: 1 });
    listen();
    expect(subject.oldestAgeMs).toBe(0);
    fill(1);
    clock.at += 10;
    expect(subject.oldestAgeMs).toBe(0);
    fill(2);
    clock.at += 30;
    fill(3);
    clock.at += 5;
    expect(subject.oldestAgeMs).toBe(35);
    subject.release();
    expect(subject.oldestAgeMs).toBe(5);
  });

  test('tells the time by the system clock unless given another', () => {
    const subject = new BoundedSubject<number>({ capacity: 1, policy: 'reject' });
    subject.offer(1);
    expect(subject.oldestAgeMs).toBeGreaterThanOrEqual(0);
    expect(subject.oldestAgeMs).toBeLessThan(60_000);
  });

  test('refuses a second subscriber and keeps the first', () => {
    const { subject, seen, listen, fill } = door();
    listen();
    const errors: unknown[] = [];
    subject.subscribe({ error: (error: unknown) => errors.push(error) });
    expect(errors).toEqual([new Error('BoundedSubject has a subscriber already')]);
    fill(1);
    expect(seen).toEqual([1]);
  });

  test('keeps what waits for the next subscriber, and counts the old work as gone', () => {
    const { subject, seen, listen, fill } = door({ maxInWork: 1 });
    const first = listen();
    fill(1, 2);
    first.unsubscribe();
    expect(subject.depth).toBe(1);
    listen();
    expect(seen).toEqual([1, 2]);
  });

  test('keeps what a subscriber that left in the middle did not take', () => {
    const { subject, seen, listen, fill } = door();
    fill(1, 2, 3);
    const taken: number[] = [];
    subject.pipe(take(1)).subscribe((item) => taken.push(item));
    expect(taken).toEqual([1]);
    expect(subject.depth).toBe(2);
    listen();
    expect(seen).toEqual([2, 3]);
  });
});

describe('a full bounded subject', () => {
  test('refuses the new item under `reject`, and counts no loss', () => {
    const { subject, seen, listen, fill } = door({ policy: 'reject' });
    expect(fill(1, 2, 3, 4)).toEqual([true, true, true, false]);
    expect(subject.dropped).toBe(0);
    listen();
    expect(seen).toEqual([1, 2, 3]);
  });

  test('loses the new item under `drop-newest`, counted', () => {
    const { subject, seen, listen, fill } = door({ policy: 'drop-newest' });
    expect(fill(1, 2, 3, 4, 5)).toEqual([true, true, true, false, false]);
    expect(subject.dropped).toBe(2);
    listen();
    expect(seen).toEqual([1, 2, 3]);
  });

  test('loses the item that waited longest under `drop-oldest`, counted', () => {
    const { subject, seen, listen, fill } = door({ policy: 'drop-oldest' });
    expect(fill(1, 2, 3, 4, 5)).toEqual([true, true, true, true, true]);
    expect(subject.dropped).toBe(2);
    listen();
    expect(seen).toEqual([3, 4, 5]);
  });

  test('never takes back an item in work: with none waiting, `drop-oldest` loses the new one', () => {
    const { subject, seen, listen, fill } = door({ policy: 'drop-oldest' });
    listen();
    expect(fill(1, 2, 3, 4)).toEqual([true, true, true, false]);
    expect(subject.dropped).toBe(1);
    expect(seen).toEqual([1, 2, 3]);
  });
});

describe('an item offered while another one is handed on', () => {
  test('comes after it', () => {
    const { subject, fill } = door();
    const seen: string[] = [];
    subject.subscribe((item) => {
      seen.push(`${item} begins`);
      if (item === 1) fill(2);
      seen.push(`${item} ends`);
    });
    fill(1);
    expect(seen).toEqual(['1 begins', '1 ends', '2 begins', '2 ends']);
  });

  test('is refused like any other once the subject is full', () => {
    const { subject, fill } = door({ capacity: 2 });
    const answers: boolean[] = [];
    subject.subscribe((item) => {
      if (item === 1) answers.push(...fill(2, 3));
    });
    fill(1);
    expect(answers).toEqual([true, false]);
  });

  test('costs no stack: a hundred thousand in a chain pass', () => {
    const { subject } = door({ capacity: 2 });
    let count = 0;
    subject.subscribe((item) => {
      count++;
      if (item < 100_000) subject.offer(item + 1);
      subject.release();
    });
    subject.offer(1);
    expect(count).toBe(100_000);
  });
});

describe('a bounded subject that was completed', () => {
  test('completes its subscriber when nothing waits', () => {
    const { subject, seen, listen, fill } = door();
    listen();
    fill(1);
    subject.complete();
    expect(seen).toEqual([1, 'end']);
  });

  test('takes no more, and counts no loss', () => {
    const { subject, seen, listen, fill } = door({ policy: 'drop-newest' });
    listen();
    subject.complete();
    expect(fill(1)).toEqual([false]);
    expect(seen).toEqual(['end']);
    expect(subject.dropped).toBe(0);
  });

  test('completes only after the last waiting item has left', () => {
    const { subject, seen, listen, fill } = door({ maxInWork: 1 });
    listen();
    fill(1, 2);
    subject.complete();
    expect(seen).toEqual([1]);
    subject.release();
    expect(seen).toEqual([1, 2, 'end']);
  });

  test('goes on counting what is in work until it is released', () => {
    const { subject, seen, listen, fill } = door();
    listen();
    fill(1, 2);
    subject.complete();
    expect(seen).toEqual([1, 2, 'end']);
    expect(subject.depth).toBe(2);
    subject.release();
    expect(subject.depth).toBe(1);
  });

  test('hands a late subscriber what waits, then completes it', () => {
    const { subject, seen, listen, fill } = door();
    fill(1, 2);
    subject.complete();
    listen();
    expect(seen).toEqual([1, 2, 'end']);
  });

  test('from within an item hands on what waits before it completes', () => {
    const { subject, fill } = door();
    const seen: (number | 'end')[] = [];
    fill(1, 2);
    subject.subscribe({
      next: (item) => {
        seen.push(item);
        subject.complete();
      },
      complete: () => seen.push('end'),
    });
    expect(seen).toEqual([1, 2, 'end']);
  });
});

interface Limits {
  readonly capacity: number;
  readonly policy: OverflowPolicy;
  readonly maxInWork: number;
}

/** The same door as plain arrays. */
class Model {
  waiting: { item: number; since: number }[] = [];
  inWork = 0;
  dropped = 0;
  seen: number[] = [];
  listening = false;
  now = 0;
  readonly limits: Limits;

  constructor(limits: Limits) {
    this.limits = limits;
  }

  offer(item: number): boolean {
    if (this.waiting.length + this.inWork >= this.limits.capacity) {
      if (this.limits.policy !== 'reject') this.dropped++;
      if (this.limits.policy !== 'drop-oldest' || this.waiting.length === 0) return false;
      this.waiting.shift();
    }
    this.waiting.push({ item, since: this.now });
    this.drain();
    return true;
  }

  drain(): void {
    while (this.listening && this.waiting.length > 0 && this.inWork < this.limits.maxInWork) {
      this.inWork++;
      this.seen.push(this.waiting.shift()!.item);
    }
  }
}

class Real {
  now = 0;
  seen: number[] = [];
  subscription: Subscription | undefined;
  readonly subject: BoundedSubject<number>;

  constructor(limits: Limits) {
    this.subject = new BoundedSubject<number>({ ...limits, clock: { now: () => this.now } });
  }
}

function agree(model: Model, { subject, seen }: Real): void {
  expect(seen).toEqual(model.seen);
  expect(subject.depth).toBe(model.waiting.length + model.inWork);
  expect(subject.depth).toBeLessThanOrEqual(model.limits.capacity);
  expect(subject.dropped).toBe(model.dropped);
  const head = model.waiting[0];
  expect(subject.oldestAgeMs).toBe(head === undefined ? 0 : model.now - head.since);
}

function command(name: string, act: (model: Model, real: Real) => void): fc.Command<Model, Real> {
  return {
    check: () => true,
    run: (model, real) => {
      act(model, real);
      agree(model, real);
    },
    toString: () => name,
  };
}

const offers = fc.nat().map((item) =>
  command(`offer ${item}`, (model, { subject }) => {
    const accepted = model.offer(item);
    expect(subject.offer(item)).toBe(accepted);
  }),
);
const releases = fc.integer({ min: 1, max: 3 }).map((count) =>
  command(`release ${count}`, (model, { subject }) => {
    model.inWork = Math.max(0, model.inWork - count);
    model.drain();
    subject.release(count);
  }),
);
const ticks = fc.integer({ min: 1, max: 100 }).map((ms) =>
  command(`${ms} ms pass`, (model, real) => {
    model.now += ms;
    real.now += ms;
  }),
);
const comings = fc.constant(
  command('a subscriber comes', (model, real) => {
    if (model.listening) return;
    model.listening = true;
    model.drain();
    real.subscription = real.subject.subscribe((item) => real.seen.push(item));
  }),
);
const goings = fc.constant(
  command('the subscriber goes', (model, real) => {
    if (!model.listening) return;
    model.listening = false;
    model.inWork = 0;
    real.subscription?.unsubscribe();
  }),
);

describe('any sequence of commands', () => {
  test('leaves a bounded subject as the model says, never above its capacity', () => {
    const limits = fc.record({
      capacity: fc.integer({ min: 1, max: 6 }),
      policy: fc.constantFrom<OverflowPolicy>('reject', 'drop-newest', 'drop-oldest'),
      maxInWork: fc.integer({ min: 1, max: 4 }),
    });
    const commands = fc.commands([offers, offers, offers, releases, ticks, comings, goings], {
      maxCommands: 60,
    });
    fc.assert(
      fc.property(limits, commands, (config, sequence) => {
        fc.modelRun(() => ({ model: new Model(config), real: new Real(config) }), sequence);
      }),
      { numRuns: 300 },
    );
  });
});
