import type { Clock } from '../flow/clock.ts';
import { Ring } from '../flow/ring.ts';
import type { LaneWork } from '../outbox/outbox.ts';
import { backoffMs } from './backoff.ts';
import { type BreakerState, EndpointHealth } from './endpoint-health.ts';
import type { WebhookEndpoint } from './endpoint.ts';
import { LaneState } from './lane-state.ts';
import type { LaneTurn } from './turn.ts';

export interface TurnSettings {
  /** Slots of each endpoint. */
  readonly concurrency: number;
  readonly batchSize: number;
  readonly batchWindowMs: number;
}

export interface TurnHooks {
  readonly clock: Clock;
  readonly random: () => number;
  /** Something may begin that could not before, or a turn has ended. */
  readonly onMoved: () => void;
  readonly onBreaker: (state: BreakerState) => void;
}

/** A turn, or its delivery, that nobody has ended after this long is over: its slot is needed. */
const turnLimitMs = 90_000;

/** The lanes of one endpoint and its slots. Lanes have their turns in the order in which they became due. */
export class EndpointTurns {
  readonly endpoint: WebhookEndpoint;
  readonly health: EndpointHealth;
  readonly #settings: TurnSettings;
  readonly #hooks: TurnHooks;
  readonly #lanes = new Map<LaneTurn['lane']['partition'], LaneState>();
  /** Holds each lane once at most, so it is as long as the endpoint has partitions. */
  readonly #due = new Ring<LaneState>();
  #inFlight = 0;
  #turns = 0;
  #probe: LaneState | undefined;
  #isDraining = false;

  constructor(endpoint: WebhookEndpoint, settings: TurnSettings, hooks: TurnHooks) {
    this.endpoint = endpoint;
    this.#settings = { ...settings, batchSize: endpoint.batching ? settings.batchSize : 1 };
    this.#hooks = hooks;
    this.health = new EndpointHealth({
      clock: hooks.clock,
      onRecovered: () => this.#endWaiting(),
      onChange: (state) => {
        hooks.onBreaker(state);
        hooks.onMoved();
      },
    });
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get due(): number {
    return this.#due.size;
  }

  get waiting(): number {
    return [...this.#lanes.values()].filter(({ step }) => step === 'waiting').length;
  }

  /** Nothing is under way, and nothing that is due would be let begin. */
  get isAtRest(): boolean {
    return this.#inFlight === 0 && (this.#due.size === 0 || this.health.admission === 'none');
  }

  wake({ lane, pending, isTaken }: LaneWork): void {
    const state = this.#stateOf(lane);
    state.pending = pending;
    if (state.step === 'working') state.isWoken = true;
    if (state.step === 'idle') this.#gatherIn(state, this.#settings.batchWindowMs, this.#settings.batchSize);
    else if (state.step === 'gathering' && pending >= state.enoughPending) this.#enqueue(state);
    else if (state.isHeld) this.#enqueue(state);
    else if (isTaken === true && state.step === 'waiting' && state.notBeforeMs <= this.#hooks.clock.now()) {
      state.failures = 0;
      this.#enqueue(state);
    }
  }

  /** The next turn; undefined when none is due, no slot is free or the endpoint is not to be asked. */
  begin(): LaneTurn | undefined {
    const { admission } = this.health;
    if (admission === 'none' || (admission === 'probe' && this.#probe !== undefined)) return undefined;
    if (this.#inFlight >= this.#settings.concurrency) return undefined;
    const state = this.#due.shift();
    if (state === undefined) return undefined;
    if (admission === 'probe') this.#probe = state;
    this.#inFlight++;
    state.isWoken = false;
    state.pending = 0;
    state.turnNumber = ++this.#turns;
    const turn = { lane: state.lane, endpoint: this.endpoint, number: state.turnNumber };
    this.#limit(state, turn);
    return turn;
  }

  /** Whether this turn may send now. One that may not, for the breaker has opened meanwhile, has ended and is due again. */
  maySend(turn: LaneTurn): boolean {
    const state = this.#current(turn);
    if (state === undefined) return false;
    const { admission } = this.health;
    if (admission === 'all' || (admission === 'probe' && this.#probe === state)) {
      this.#limit(state, turn);
      return true;
    }
    this.again(turn);
    return false;
  }

  idle(turn: LaneTurn): void {
    const state = this.#end(turn);
    if (state === undefined) return;
    state.failures = 0;
    if (state.isWoken) this.#enqueue(state);
    else state.go('idle');
  }

  gather(turn: LaneTurn, atMs: number, enoughPending: number): void {
    const state = this.#end(turn);
    if (state !== undefined) this.#gatherIn(state, atMs - this.#hooks.clock.now(), enoughPending);
  }

  again(turn: LaneTurn): void {
    const state = this.#end(turn);
    if (state === undefined) return;
    state.failures = 0;
    this.#enqueue(state);
  }

  postpone(turn: LaneTurn, reason: string, retryAfterMs: number): void {
    const state = this.#end(turn);
    if (state === undefined) return;
    this.health.lastFailure = reason;
    state.failures++;
    const delayMs = Math.max(
      retryAfterMs,
      backoffMs(state.failures, this.health.wasWell, this.#hooks.random),
    );
    state.notBeforeMs = this.#hooks.clock.now() + retryAfterMs;
    this.#wait(state, delayMs);
  }

  hold(turn: LaneTurn): void {
    const state = this.#end(turn);
    if (state === undefined) return;
    this.#wait(state, backoffMs(1, this.health.wasWell, this.#hooks.random));
    state.isHeld = true;
    if (state.isWoken) this.#enqueue(state);
  }

  pause(turn: LaneTurn, reason: string): void {
    const state = this.#end(turn);
    if (state === undefined) return;
    this.health.lastFailure = reason;
    this.health.isPaused = true;
    this.#enqueue(state);
  }

  resume(): void {
    this.health.overrule();
    for (const state of this.#lanes.values()) if (state.step === 'waiting') this.#enqueue(state);
    this.#hooks.onMoved();
  }

  /** Everything that waits is due now. */
  drain(): void {
    this.#isDraining = true;
    this.health.drain();
    for (const state of this.#lanes.values()) {
      if (state.step === 'waiting' || state.step === 'gathering') this.#enqueue(state);
    }
    this.#hooks.onMoved();
  }

  close(): void {
    for (const state of this.#lanes.values()) state.stopTimer();
    this.health.close();
  }

  #stateOf(lane: LaneTurn['lane']): LaneState {
    const known = this.#lanes.get(lane.partition);
    if (known !== undefined) return known;
    const state = new LaneState(lane);
    this.#lanes.set(lane.partition, state);
    return state;
  }

  #current({ lane, number }: LaneTurn): LaneState | undefined {
    const state = this.#lanes.get(lane.partition);
    return state?.step === 'working' && state.turnNumber === number ? state : undefined;
  }

  /** Gives the slot back; undefined when the turn has ended before. */
  #end(turn: LaneTurn): LaneState | undefined {
    const state = this.#current(turn);
    if (state === undefined) return undefined;
    this.#inFlight--;
    if (this.#probe === state) this.#probe = undefined;
    this.#hooks.onMoved();
    return state;
  }

  #limit(state: LaneState, turn: LaneTurn): void {
    const run = (): void => this.postpone(turn, `no end within ${turnLimitMs} ms`, 0);
    state.go('working', { ms: turnLimitMs, run });
  }

  #wait(state: LaneState, ms: number): void {
    state.go('waiting', this.#isDraining ? undefined : { ms, run: () => this.#enqueue(state) });
  }

  #gatherIn(state: LaneState, ms: number, enoughPending: number): void {
    state.enoughPending = enoughPending;
    if (this.#isDraining || ms <= 0 || state.pending >= enoughPending) this.#enqueue(state);
    else state.go('gathering', { ms, run: () => this.#enqueue(state) });
  }

  #enqueue(state: LaneState): void {
    state.go('due');
    this.#due.push(state);
    this.#hooks.onMoved();
  }

  #endWaiting(): void {
    const nowMs = this.#hooks.clock.now();
    for (const state of this.#lanes.values()) {
      if (state.step === 'waiting' && state.notBeforeMs <= nowMs) this.#enqueue(state);
    }
  }
}
