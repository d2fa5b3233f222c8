import { defer, type Observable, Subject } from 'rxjs';
import type { Clock } from '../flow/clock.ts';
import type { LaneWork, RecordedBatch } from '../outbox/outbox.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { BreakerState } from './endpoint-health.ts';
import { EndpointTurns, type TurnSettings } from './endpoint-turns.ts';
import type { WebhookEndpoint } from './endpoint.ts';
import type { PostResult } from './post.ts';
import type { DueBatch, LaneTurn } from './turn.ts';

/** How one endpoint is. */
export interface EndpointStatus {
  readonly appId: string;
  readonly endpointId: string;
  /** `paused`: it answered 410 and is asked nothing until somebody resumes it. */
  readonly state: BreakerState | 'paused';
  /** Slots in use. */
  readonly inFlight: number;
  /** Lanes that wait for a slot. */
  readonly due: number;
  /** Lanes that wait for their next attempt. */
  readonly waiting: number;
  readonly lastSuccessAtMs: number | undefined;
  readonly lastFailure: string | undefined;
}

export interface WebhookScheduleOptions {
  readonly endpoints: readonly WebhookEndpoint[];
  readonly settings: TurnSettings;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** For backoff; default `Math.random`. */
  readonly random?: () => number;
}

/** Turns that begin before other work of the process goes on: in memory, reading, recording and posting are of one piece. */
const turnsPerSlice = 2;

/**
 * Whose turn it is. A lane with work waits until its batch is full or its window is over, then for one of its endpoint's
 * `webhooks.concurrency` slots; after a failure for its backoff, which holds no slot; and never while the endpoint's
 * breaker is open, except for the one probe of a half-open one. Endpoints never wait for each other.
 */
export class WebhookSchedule {
  /** Turns to read: the source of the webhook pipeline. */
  readonly readings$: Observable<LaneTurn>;
  /** Recorded batches to send: the source of the delivery pipeline. */
  readonly deliveries$: Observable<DueBatch>;
  readonly #readings$ = new Subject<LaneTurn>();
  readonly #deliveries$ = new Subject<DueBatch>();
  readonly #endpoints: ReadonlyMap<string, EndpointTurns>;
  /** Endpoints that may have a turn to begin; the one that had one goes to the end. */
  readonly #moved = new Set<EndpointTurns>();
  #slice: NodeJS.Immediate | undefined;
  #isClosed = false;
  #drain: { readonly done: Promise<void>; readonly resolve: () => void } | undefined;

  constructor({ endpoints, settings, clock, telemetry, random = Math.random }: WebhookScheduleOptions) {
    const toEntry = (endpoint: WebhookEndpoint): readonly [string, EndpointTurns] => {
      const turns: EndpointTurns = new EndpointTurns(endpoint, settings, {
        clock,
        random,
        onMoved: () => this.#note(turns),
        onBreaker: (state) => tellBreaker(telemetry, endpoint, state),
      });
      return [keyOf(endpoint.appId, endpoint.id), turns];
    };
    this.#endpoints = new Map(endpoints.map(toEntry));
    this.readings$ = defer(() => {
      this.#arm();
      return this.#readings$;
    });
    this.deliveries$ = this.#deliveries$.asObservable();
  }

  /** The windows of batches are over and backoffs are not waited for: the server stops. */
  get isDraining(): boolean {
    return this.#drain !== undefined;
  }

  /** The outbox has work on a lane. */
  wake(work: LaneWork): void {
    this.#endpoints.get(keyOf(work.lane.appId, work.lane.endpointId))?.wake(work);
  }

  /** The turn ends: there is nothing to send. */
  idle(turn: LaneTurn): void {
    this.#of(turn)?.idle(turn);
  }

  /** The turn ends: too little for a batch; look again at `atMs`, or when so many events are behind the lane's position. */
  gather(turn: LaneTurn, atMs: number, enoughPending: number): void {
    this.#of(turn)?.gather(turn, atMs, enoughPending);
  }

  /** The turn ends, and the lane wants another at once: it has changed, or there is more to read. */
  again(turn: LaneTurn): void {
    this.#of(turn)?.again(turn);
  }

  /** The turn goes on with delivery, in the same slot; or ends, and begins again once the breaker lets it. */
  deliver({ lane, endpoint, number }: LaneTurn, batch: RecordedBatch): void {
    const due = { lane, endpoint, number, batch };
    if (this.#of(due)?.maySend(due) !== true) return;
    if (this.#deliveries$.observed) this.#deliveries$.next(due);
    else this.postpone(due, 'the delivery pipeline is not running');
  }

  /**
   * Sends through the endpoint's breaker.
   *
   * @throws When the breaker is open.
   */
  attempt(due: DueBatch, send: () => Promise<PostResult>): Promise<PostResult> {
    return this.#of(due)?.health.attempt(send) ?? send();
  }

  /** The turn ends: the endpoint took the batch, and the outbox knows. The lane may have more. */
  delivered(due: DueBatch): void {
    this.again(due);
  }

  /** The turn ends: something failed; the lane waits for its backoff (at least `retryAfterMs`). */
  postpone(turn: LaneTurn, reason: string, retryAfterMs = 0): void {
    this.#of(turn)?.postpone(turn, reason, retryAfterMs);
  }

  /**
   * The turn ends for a reason that is not the endpoint's: the outbox cannot be asked, or the lane may be another node's. It
   * goes on when the outbox tells of work again, after a second at the latest, and nothing counts against the endpoint.
   */
  hold(turn: LaneTurn): void {
    this.#of(turn)?.hold(turn);
  }

  /** The turn ends: the endpoint said 410. */
  pause(turn: LaneTurn, reason: string): void {
    this.#of(turn)?.pause(turn, reason);
  }

  /** Whether the endpoint took something at this time or later. */
  succeededSince({ endpoint }: LaneTurn, sinceMs: number): boolean {
    const turns = this.#endpoints.get(keyOf(endpoint.appId, endpoint.id));
    return (turns?.health.lastSuccessAtMs ?? Number.NEGATIVE_INFINITY) >= sinceMs;
  }

  /** Asks a paused or waiting endpoint again, at once, whatever its breaker says. */
  resume(appId: string, endpointId: string): void {
    this.#endpoints.get(keyOf(appId, endpointId))?.resume();
  }

  status(): readonly EndpointStatus[] {
    return Array.from(this.#endpoints.values(), ({ endpoint, health, inFlight, due, waiting }) => ({
      appId: endpoint.appId,
      endpointId: endpoint.id,
      state: health.state,
      inFlight,
      due,
      waiting,
      lastSuccessAtMs: health.lastSuccessAtMs,
      lastFailure: health.lastFailure,
    }));
  }

  /**
   * Windows are over at once, and every lane that waits has one more attempt; an endpoint that fails from now on is left
   * alone. Fulfilled when no lane is working or due.
   */
  drain(): Promise<void> {
    if (this.#drain === undefined) {
      let resolve = (): void => undefined;
      const done = new Promise<void>((fulfil) => {
        resolve = fulfil;
      });
      this.#drain = { done, resolve };
      for (const turns of this.#endpoints.values()) turns.drain();
      this.#arm();
    }
    return this.#drain.done;
  }

  /** The end of both sources. What is under way may finish; nothing begins. */
  close(): void {
    this.#isClosed = true;
    clearImmediate(this.#slice);
    for (const turns of this.#endpoints.values()) turns.close();
    this.#readings$.complete();
    this.#deliveries$.complete();
    this.#drain?.resolve();
  }

  #of({ endpoint }: LaneTurn): EndpointTurns | undefined {
    return this.#isClosed ? undefined : this.#endpoints.get(keyOf(endpoint.appId, endpoint.id));
  }

  #note(turns: EndpointTurns): void {
    this.#moved.add(turns);
    this.#arm();
  }

  /** Turns begin apart from what made them due: whoever changes membership does not wait for reading and signing. */
  #arm(): void {
    if (this.#isClosed || this.#slice !== undefined) return;
    this.#slice = setImmediate(() => {
      this.#slice = undefined;
      this.#runSlice();
    }).unref();
  }

  #runSlice(): void {
    for (let begun = 0; begun < turnsPerSlice && this.#readings$.observed; begun++) {
      const turn = this.#next();
      if (turn === undefined) break;
      this.#readings$.next(turn);
    }
    if (this.#moved.size > 0 && this.#readings$.observed) this.#arm();
    else if ([...this.#endpoints.values()].every(({ isAtRest }) => isAtRest)) this.#drain?.resolve();
  }

  #next(): LaneTurn | undefined {
    for (const turns of this.#moved) {
      this.#moved.delete(turns);
      const turn = turns.begin();
      if (turn === undefined) continue;
      this.#moved.add(turns);
      return turn;
    }
    return undefined;
  }
}

function keyOf(appId: string, endpointId: string): string {
  return `${appId} ${endpointId}`;
}

function tellBreaker(telemetry: Telemetry, { appId, id, url }: WebhookEndpoint, state: BreakerState): void {
  telemetry.emit(`endpoint.${state === 'open' ? 'opened' : state}`, {
    appId,
    endpointId: id,
    host: url.host,
  });
}
