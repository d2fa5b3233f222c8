import { type Observable, Subject } from 'rxjs';
import type { Clock } from '../../flow/clock.ts';
import { inSlices } from '../../flow/slices.ts';
import type { LifecycleRecorder } from '../../membership/lifecycle-recorder.ts';
import { AppOutbox } from './app-outbox.ts';
import type { Archive, ArchiveQuery, Backlog } from '../archive.ts';
import { backlogOf, listArchived, replayArchived } from './archive-reader.ts';
import { CountThrottle } from './count-throttle.ts';
import { EventIds } from './event-ids.ts';
import { contentOf, goOn, type LaneState } from './lane-state.ts';
import { LifecycleLedger } from './lifecycle-ledger.ts';
import type {
  BatchFailure,
  Lane,
  LaneContent,
  LaneWork,
  NewBatch,
  Outbox,
  OutboxEndpoint,
} from '../outbox.ts';
import type { NewOutboxEvent, OutboxEvent } from '../outbox-event.ts';
import type { OutboxHooks } from './outbox-hooks.ts';
import { restoreLines, type Spooled, spoolLines } from './spool.ts';
import type { Timeline, TimelinePage } from '../timeline.ts';
import { pageAfter, snapshotOf, toPosition } from './timeline-reader.ts';

export interface MemoryOutboxOptions extends OutboxHooks {
  readonly clock: Clock;
  /** How long somebody who left may come back before it is told; 0: not at all. */
  readonly graceMs: number;
  readonly partitions: number;
  readonly retainMs: number;
  /** Of each app's backlog, and of each endpoint's dead letters. */
  readonly maxBytesPerApp: number;
}

/** For gauges. */
export interface OutboxSize {
  /** Leaves that wait for a return. */
  readonly armedDeadlines: number;
  /** Events in the logs, the delivered ones that are still kept among them. */
  readonly events: number;
  /** An estimate. */
  readonly bytes: number;
  /** Channels whose `seq` is known, vacated ones among them. */
  readonly channels: number;
}

const sweepMs = 60_000;

/**
 * The outbox of one process: synchronous, and gone with the process except for what `spool` gives and `restore` takes.
 */
export class MemoryOutbox implements Outbox {
  readonly work$: Observable<LaneWork>;
  /** Where the membership store tells what changed, in the step that changes it. */
  readonly lifecycle: LifecycleRecorder;
  readonly #options: MemoryOutboxOptions;
  readonly #work = new Subject<LaneWork>();
  readonly #ids: EventIds;
  readonly #ledger: LifecycleLedger;
  readonly #counts: CountThrottle;
  readonly #apps = new Map<string, AppOutbox>();
  #sweep: NodeJS.Timeout | undefined;
  #isSweeping = false;
  #isClosed = false;

  constructor(options: MemoryOutboxOptions) {
    const { clock, graceMs, retainMs } = options;
    this.#options = options;
    this.work$ = this.#work.asObservable();
    const ids = new EventIds(clock.now());
    this.#ids = ids;
    const ledger = new LifecycleLedger({
      clock,
      graceMs,
      retainMs,
      newEpoch: () => ids.epoch(),
      tell: (event) => this.#append(event),
      onForgotten: (appId, channel, epoch) => this.#apps.get(appId)?.endEpoch(channel, epoch),
    });
    const counts = new CountThrottle(clock, (appId, channel, count) =>
      this.#tellCount(appId, channel, count),
    );
    this.#ledger = ledger;
    this.#counts = counts;
    this.lifecycle = {
      occupied: (appId, channel) => ledger.occupied(appId, channel),
      vacated: (appId, channel) => ledger.vacated(appId, channel),
      memberAdded: (appId, channel, userId) => ledger.memberAdded(appId, channel, userId),
      memberRemoved: (appId, channel, userId) => ledger.memberRemoved(appId, channel, userId),
      counted: (appId, channel, subscriptions) => this.#counted(appId, channel, subscriptions),
    };
  }

  get size(): OutboxSize {
    let events = 0;
    let bytes = 0;
    for (const app of this.#apps.values()) {
      events += app.entries;
      bytes += app.held.bytes;
    }
    return { armedDeadlines: this.#ledger.armed, events, bytes, channels: this.#ledger.size };
  }

  /** Events that endpoints have yet to take, those left out that are configured no more. */
  get undelivered(): number {
    const endpoints = [...this.#apps.values()].flatMap((app) => [...app.endpoints]);
    return endpoints.reduce(
      (events, { closedAtMs, undelivered }) => events + (closedAtMs === undefined ? undelivered : 0),
      0,
    );
  }

  /** Tells every leave that waits for a return, and every count that waits for its time, in order, now. */
  settle(): void {
    this.#ledger.settle();
    this.#counts.settle();
  }

  /** Tells nothing by itself any more. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#sweep);
    this.#ledger.close();
    this.#counts.close();
  }

  /** Everything that has to survive a graceful restart, as lines of NDJSON. */
  spool(): Iterable<string> {
    return spoolLines(this.#spooled());
  }

  /**
   * Takes up what an earlier process spooled, before `open`. Whoever was told to be there has a grace to come back.
   * @throws SpillwayError `outbox.spool-unreadable`; nothing is left out.
   */
  restore(lines: Iterable<string>): void {
    restoreLines(lines, this.#spooled());
    this.#ledger.allGone();
  }

  open(endpoints: readonly OutboxEndpoint[]): void {
    const nowMs = this.#options.clock.now();
    for (const { appId } of endpoints) this.#appOf(appId);
    for (const app of this.#apps.values()) {
      const own = endpoints.filter(({ appId }) => appId === app.appId);
      app.open(own, () => this.#ledger.snapshot(app.appId), nowMs);
    }
    this.#sweep ??= setInterval(() => this.#startSweep(), sweepMs).unref();
  }

  append(events: readonly NewOutboxEvent[]): void {
    const atMs = this.#options.clock.now();
    for (const event of events) this.#append({ ...event, id: this.#ids.other(), atMs });
  }

  /** Every lane is this process's own. */
  begin(): boolean {
    return true;
  }

  read(lane: Lane, limit: number): LaneContent {
    const state = this.#laneOf(lane);
    if (state !== undefined) return contentOf(state, limit);
    return { batch: undefined, events: [], sent: new Map(), token: 0 };
  }

  record(lane: Lane, token: number, upTo: number, batch: NewBatch): boolean {
    const state = this.#laneOf(lane);
    return state !== undefined && goOn(state, token, upTo, batch);
  }

  skip(lane: Lane, token: number, upTo: number): boolean {
    const state = this.#laneOf(lane);
    return state !== undefined && goOn(state, token, upTo);
  }

  acknowledge(lane: Lane, batchId: string): void {
    const state = this.#laneOf(lane);
    const batch = state?.batches.remove(batchId);
    if (state === undefined || batch === undefined) return;
    state.took(batch.events);
    this.#apps.get(lane.appId)?.tellMore(state);
  }

  failed(lane: Lane, batchId: string, failure: BatchFailure): void {
    this.#laneOf(lane)?.batches.failed(batchId, failure, this.#options.clock.now());
  }

  split(lane: Lane, batchId: string, parts: readonly NewBatch[]): void {
    const state = this.#laneOf(lane);
    if (state?.batches.split(batchId, parts) === true) this.#apps.get(lane.appId)?.tellMore(state);
  }

  deadLetter(lane: Lane, batchId: string, reason: string): void {
    const app = this.#apps.get(lane.appId);
    const endpoint = app?.endpoint(lane.endpointId);
    const state = app?.lane(lane);
    const batch = state?.batches.remove(batchId);
    if (app === undefined || endpoint === undefined || state === undefined || batch === undefined) return;
    app.bury(endpoint, batch.events, reason, this.#options.clock.now(), batch);
    app.tellMore(state);
  }

  backlogs(): readonly Backlog[] {
    return [...this.#apps.values()].flatMap((app) =>
      Array.from(app.endpoints, (endpoint) => backlogOf(app.appId, endpoint)),
    );
  }

  list(query: ArchiveQuery, limit: number): ReturnType<Archive['list']> {
    const app = this.#apps.get(query.appId);
    return app === undefined ? [] : listArchived(app, query, limit, this.#options.clock);
  }

  replay(query: ArchiveQuery, limit: number): ReturnType<Archive['replay']> {
    const app = this.#apps.get(query.appId);
    return app === undefined ? 0 : replayArchived(app, query, limit, this.#options.clock);
  }

  lifecycleSnapshot(appId: string): ReturnType<Timeline['lifecycleSnapshot']> {
    const indexes = this.#apps.get(appId)?.logs.map(({ end }) => end) ?? [];
    const position = toPosition(this.#ids.generation, indexes);
    return snapshotOf(this.#ledger.copy(appId), position, this.#options.clock);
  }

  lifecycleAfter(appId: string, position: string, limit: number): TimelinePage | 'gone' | 'off' {
    const app = this.#apps.get(appId);
    if (app?.hasEndpoints !== true) return 'off';
    return pageAfter(app.logs, this.#ids.generation, position, limit) ?? 'gone';
  }

  #append(event: OutboxEvent): void {
    const app = this.#apps.get(event.appId);
    if (app?.hasEndpoints === true) app.append(event);
  }

  #counted(appId: string, channel: string, subscriptions: number): void {
    const isWanted = this.#apps.get(appId)?.wants('subscription_count', channel) === true;
    if (isWanted) this.#counts.counted(appId, channel, subscriptions);
  }

  #tellCount(appId: string, channel: string, subscriptionCount: number): void {
    const atMs = this.#options.clock.now();
    const id = this.#ids.other();
    this.#append({ kind: 'subscription_count', id, appId, channel, atMs, subscriptionCount });
  }

  #laneOf(lane: Lane): LaneState | undefined {
    return this.#apps.get(lane.appId)?.lane(lane);
  }

  #appOf(appId: string): AppOutbox {
    let app = this.#apps.get(appId);
    if (app === undefined) {
      const { partitions, maxBytesPerApp: maxBytes, retainMs } = this.#options;
      app = new AppOutbox({
        appId,
        partitions,
        maxBytes,
        retainMs,
        newId: () => this.#ids.other(),
        hooks: this.#options,
        onWork: (work) => this.#work.next(work),
      });
      this.#apps.set(appId, app);
    }
    return app;
  }

  #spooled(): Spooled {
    const { partitions } = this.#options;
    const appOf = (appId: string): AppOutbox => this.#appOf(appId);
    return { partitions, ledger: this.#ledger, apps: this.#apps.values(), appOf };
  }

  #startSweep(): void {
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    const isOpen = (): boolean => !this.#isClosed;
    void inSlices(this.#options.clock, this.#expire(), isOpen, () => {
      this.#isSweeping = false;
    });
  }

  *#expire(): Iterable<void> {
    const nowMs = this.#options.clock.now();
    while (this.#ledger.forgetExpired()) yield;
    for (const app of this.#apps.values()) yield* app.expire(nowMs);
  }
}
