const realImmediate = setImmediate;

/** A process whose timers can be held or dropped. */
export class Process {
  #isPaused = false;
  #isDead = false;

  get isPaused(): boolean {
    return this.#isPaused;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** Nothing of it runs until it is resumed (`VirtualClock.resume`). */
  pause(): void {
    this.#isPaused = true;
  }

  unpause(): void {
    this.#isPaused = false;
  }

  /** Nothing of it runs any more. */
  kill(): void {
    this.#isDead = true;
  }
}

class Timer {
  atMs: number;
  order: number;
  isOver = false;
  readonly everyMs: number | undefined;
  readonly run: () => void;
  readonly owner: Process | undefined;

  constructor(
    atMs: number,
    order: number,
    run: () => void,
    owner: Process | undefined,
    everyMs: number | undefined,
  ) {
    this.atMs = atMs;
    this.order = order;
    this.run = run;
    this.owner = owner;
    this.everyMs = everyMs;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }
}

type Callback = (...args: readonly unknown[]) => void;

const patched = [
  'setTimeout',
  'clearTimeout',
  'setInterval',
  'clearInterval',
  'setImmediate',
  'clearImmediate',
  'Date',
] as const;
/** Steps between two turns of the event loop: a turn costs more than a step. */
const stepsPerTurn = 32;

/**
 * Time as steps: timers, immediates and dates of everything in this realm. Unlike jest's it knows whose a timer is, and it
 * looks for the next one in a heap: a story has tens of thousands.
 */
export class VirtualClock {
  #nowMs: number;
  #order = 0;
  #owner: Process | undefined;
  readonly #heap: Timer[] = [];
  readonly #held = new Map<Process, Timer[]>();
  readonly #originals = new Map<string, PropertyDescriptor | undefined>();
  /** Undefined: it inherits the one it has. */
  readonly #performanceNow = Object.getOwnPropertyDescriptor(performance, 'now');
  /** Timers that ran. */
  fired = 0;

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  /** As clocks tell it: whole. */
  get nowMs(): number {
    return Math.floor(this.#nowMs);
  }

  install(): void {
    const startMs = this.#nowMs;
    const clear = (timer: unknown): void => {
      if (timer instanceof Timer) timer.isOver = true;
    };
    const nowMs = (): number => this.nowMs;
    const RealDate = Date;
    class VirtualDate extends RealDate {
      constructor(...args: [] | [value: number | string | Date]) {
        const [value] = args;
        super(value ?? nowMs());
      }
      static override now(): number {
        return nowMs();
      }
    }
    const values: Record<(typeof patched)[number], unknown> = {
      setTimeout: (run: Callback, ms: unknown, ...args: unknown[]) => this.#add(run, ms, args),
      setInterval: (run: Callback, ms: unknown, ...args: unknown[]) => this.#add(run, ms, args, true),
      setImmediate: (run: Callback, ...args: unknown[]) => this.#add(run, 0, args),
      clearTimeout: clear,
      clearInterval: clear,
      clearImmediate: clear,
      Date: VirtualDate,
    };
    for (const name of patched) {
      this.#originals.set(name, Object.getOwnPropertyDescriptor(globalThis, name));
      Object.defineProperty(globalThis, name, { value: values[name], configurable: true, writable: true });
    }
    Object.defineProperty(performance, 'now', {
      value: () => this.#nowMs - startMs,
      configurable: true,
      writable: true,
    });
  }

  uninstall(): void {
    for (const [name, descriptor] of this.#originals) {
      if (descriptor !== undefined) Object.defineProperty(globalThis, name, descriptor);
    }
    if (this.#performanceNow === undefined) Reflect.deleteProperty(performance, 'now');
    else Object.defineProperty(performance, 'now', this.#performanceNow);
  }

  /** Runs the work at once; the timers it makes, though not those of its promises, are the owner's. */
  as<T>(owner: Process | undefined, work: () => T): T {
    const before = this.#owner;
    this.#owner = owner;
    try {
      return work();
    } finally {
      this.#owner = before;
    }
  }

  /** Runs the work as a step of its own, when the owner comes to it. */
  post(owner: Process, work: () => void, ms = 0): void {
    this.as(owner, () => void this.#add(work, ms, []));
  }

  /** The same for work that takes time: what follows from it is the owner's too. */
  within<T>(owner: Process, work: () => Promise<T>): Promise<T> {
    return new Promise((resolve) => {
      this.post(owner, () => resolve(work()));
    });
  }

  /** What was due meanwhile runs now, in its order. */
  resume(owner: Process): void {
    owner.unpause();
    const held = this.#held.get(owner) ?? [];
    this.#held.delete(owner);
    for (const timer of held) {
      timer.atMs = this.#nowMs;
      timer.order = this.#order++;
      this.#push(timer);
    }
  }

  /** Lets that much time pass, step by step; after each, all promises that can be settled are. */
  elapse(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    return this.#turns(() => {
      const timer = this.#next(endMs);
      if (timer === undefined) this.#nowMs = endMs;
      else this.#fire(timer);
      return timer !== undefined;
    });
  }

  /** Lets time pass until the work is done; `what` it is, for the error when that takes too long. */
  async until<T>(what: string, work: Promise<T>, limitMs = 120_000): Promise<T> {
    const state = { isDone: false };
    const end = (): void => {
      state.isDone = true;
    };
    work.then(end, end);
    const endMs = this.#nowMs + limitMs;
    await this.#turns(() => {
      if (state.isDone) return false;
      const timer = this.#next(endMs);
      if (timer === undefined) throw new Error(`${what}: not done within ${limitMs} ms of virtual time`);
      this.#fire(timer);
      return true;
    });
    return work;
  }

  #fire(timer: Timer): void {
    this.#nowMs = Math.max(this.#nowMs, timer.atMs);
    this.#owner = timer.owner;
    this.fired += 1;
    if (timer.everyMs === undefined) timer.isOver = true;
    else {
      timer.atMs = this.#nowMs + timer.everyMs;
      timer.order = this.#order++;
      this.#push(timer);
    }
    timer.run();
  }

  #add(run: Callback, ms: unknown, args: readonly unknown[], isRepeating = false): Timer {
    const waitMs = typeof ms === 'number' && ms > 0 ? ms : 0;
    const work = args.length === 0 ? run : (): void => run(...args);
    const everyMs = isRepeating ? Math.max(1, waitMs) : undefined;
    const timer = new Timer(this.#nowMs + waitMs, this.#order++, work, this.#owner, everyMs);
    this.#push(timer);
    return timer;
  }

  /** The next that is to run, up to that time. */
  #next(endMs: number): Timer | undefined {
    for (;;) {
      const [first] = this.#heap;
      if (first === undefined || first.atMs > endMs) return undefined;
      this.#pop();
      const { owner } = first;
      if (first.isOver || owner?.isDead === true) continue;
      if (owner?.isPaused !== true) return first;
      const held = this.#held.get(owner) ?? [];
      this.#held.set(owner, held);
      held.push(first);
    }
  }

  /** Takes steps until one says that it was the last. */
  #turns(step: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      let isOver = false;
      const take = (): void => {
        if (isOver) return;
        try {
          isOver = !step();
          if (isOver) resolve();
        } catch (error) {
          isOver = true;
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      const turn = (): void => {
        if (isOver) return;
        for (let count = 0; count < stepsPerTurn; count++) realImmediate(take);
        realImmediate(turn);
      };
      turn();
    });
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(timer);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || isBefore(above, timer)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      const isRight = right !== undefined && left !== undefined && isBefore(right, left);
      const child = isRight ? right : left;
      if (child === undefined || isBefore(last, child)) break;
      heap[at] = child;
      at = 2 * at + (isRight ? 2 : 1);
    }
    heap[at] = last;
  }
}

function isBefore(one: Timer, other: Timer): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}
