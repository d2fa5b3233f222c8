import type { Reply } from '../../../lib/redis/store-link.ts';
import type { ScriptName } from '../../../lib/redis/script-names.ts';

type Args = readonly (string | number)[];

/** A batch as it was applied: the texts of its groups. */
interface Applied {
  readonly holder: string;
  readonly cause: string;
  readonly texts: readonly string[];
}

interface Saved {
  readonly number: number;
  readonly replies: readonly string[];
}

interface PartitionState {
  id: string;
  gen: number;
  writes: number;
  owner: string;
  leases: Map<string, number>;
  batches: Map<string, Saved>;
  applied: Applied[];
  /** What each holder has, besides its lease. */
  entries: Map<string, number>;
  deadlines: number[];
}

/**
 * As much of the scripts as a node sees: leases, batch numbers, ownership. A group is `['e', '', '', '', text]`; it is
 * answered `ok:<text>`.
 */
export class FakeStore {
  readonly published: { partition: number; name: string; message: string }[] = [];
  onPublish: (partition: number, name: string, message: string) => void = () => undefined;
  readonly #configured: number;
  readonly #partitions = new Map<number, PartitionState>();

  constructor(configured: number) {
    this.#configured = configured;
  }

  of(partition: number): PartitionState {
    const known = this.#partitions.get(partition);
    if (known !== undefined) return known;
    const fresh: PartitionState = {
      id: '',
      gen: 0,
      writes: 0,
      owner: '',
      leases: new Map(),
      batches: new Map(),
      applied: [],
      entries: new Map(),
      deadlines: [],
    };
    this.#partitions.set(partition, fresh);
    return fresh;
  }

  /** All texts that were applied, in order, with everything that was lost left out. */
  textsOf(partition: number): readonly string[] {
    return this.of(partition).applied.flatMap(({ texts }) => texts);
  }

  wipe(): void {
    this.#partitions.clear();
  }

  /** A failover to somebody who has not heard of the last batches of a holder. */
  loseBatches(partition: number, holder: string, howMany: number): void {
    const state = this.of(partition);
    const last = state.batches.get(holder)?.number ?? 0;
    const kept = Math.max(0, last - howMany);
    state.batches.set(holder, { number: kept, replies: [] });
    const own = state.applied.filter((batch) => batch.holder === holder);
    const lost = new Set(own.slice(own.length - (last - kept)));
    state.applied = state.applied.filter((batch) => !lost.has(batch));
  }

  fence(partition: number, holder: string): void {
    this.of(partition).leases.set(holder, 0);
  }

  run(script: ScriptName, partition: number, args: Args): Reply {
    if (script === 'apply') return this.#apply(partition, args);
    if (script === 'renew') return this.#renew(partition, args);
    if (script === 'reap') return this.#reap(partition, args);
    if (script === 'fire') return this.#fire(partition, args);
    if (script === 'retire') return this.#retire(partition, args);
    throw new Error(`no script ${script} here`);
  }

  #refusal(state: PartitionState, holder: string, storeId: string): Reply | undefined {
    if (state.id !== storeId) return ['EPOCH', state.id];
    const expiry = state.leases.get(holder) ?? 0;
    if (expiry === 0) return ['FENCED'];
    return expiry < Date.now() ? ['EXPIRED'] : undefined;
  }

  #apply(partition: number, args: Args): Reply {
    const [holder, storeId, number, , , cause, groups] = args as [
      string,
      string,
      number,
      number,
      number,
      string,
      number,
    ];
    const state = this.of(partition);
    const refusal = this.#refusal(state, holder, storeId);
    if (refusal !== undefined) return refusal;
    const last = state.batches.get(holder) ?? { number: 0, replies: [] };
    const next = state.deadlines[0] ?? 0;
    if (number === last.number) return ['DUP', next, ...last.replies, state.writes];
    if (number !== last.number + 1) return ['GAP', last.number];
    const texts = Array.from({ length: groups }, (_, i) => String(args[7 + i * 5 + 4]));
    const replies = texts.map((text) => `ok:${text}`);
    state.applied.push({ holder, cause, texts });
    state.batches.set(holder, { number, replies });
    return ['OK', next, ...replies, ++state.writes];
  }

  #renew(partition: number, args: Args): Reply {
    const [holder, storeId, acked, leaseMs, configured, newId, knownGen, wants, gives, known] = args as [
      string,
      string,
      number,
      number,
      number,
      string,
      number,
      number,
      number,
      number,
    ];
    if (configured !== this.#configured) return ['PARTITIONS', String(this.#configured)];
    const state = this.of(partition);
    const nowMs = Date.now();
    if (state.id === '') {
      state.id = newId;
      state.gen = storeId !== '' || knownGen > 0 ? knownGen + 1 : 0;
    }
    if (storeId !== '' && storeId !== state.id) {
      state.gen = Math.max(state.gen, knownGen + 1);
      return ['EPOCH', state.id];
    }
    const lease = state.leases.get(holder);
    if (lease === 0 || (lease === undefined && acked > 0)) return ['FENCED'];
    const newest = Math.max(0, ...state.leases.values());
    if (newest < nowMs) {
      for (const [other, score] of state.leases) if (score > 0) state.leases.set(other, nowMs + leaseMs);
    }
    state.leases.set(holder, nowMs + leaseMs);
    const stored = state.batches.get(holder)?.number ?? 0;
    if (state.writes < known) {
      state.writes = known;
      state.gen = Math.max(state.gen, knownGen) + 1;
    } else if (stored < acked || state.gen < knownGen) {
      state.gen = Math.max(state.gen, knownGen + 1);
    }
    if (stored < acked) return ['GAP', stored];
    for (const [other, score] of state.leases) if (score > 0 && score < nowMs) state.leases.set(other, 0);
    if (state.owner === holder && gives === 1) this.#disown(partition);
    else if (state.owner !== holder && (state.leases.get(state.owner) ?? 0) < nowMs) {
      if (wants === 1) state.owner = holder;
      else if (state.owner !== '') this.#disown(partition);
    }
    return this.#state(state, holder, nowMs);
  }

  #state(state: PartitionState, holder: string, nowMs: number): Reply {
    const live = [...state.leases].filter(([, score]) => score > 0);
    const fenced = [...state.leases].filter(([, score]) => score === 0).map(([other]) => other);
    const others = live.filter(([other]) => other !== holder).map(([, score]) => score);
    const heads = state.owner === holder ? ['app', 7] : [];
    return [
      ...['OK', nowMs, state.id, state.gen, state.writes, state.deadlines[0] ?? 0, state.owner],
      ...[others.length === 0 ? 0 : Math.min(...others), live.length, ...live.map(([other]) => other)],
      ...[fenced.length, ...fenced, heads.length / 2, ...heads],
    ];
  }

  #reap(partition: number, args: Args): Reply {
    const [me, other, storeId, max, , , force] = args as [
      string,
      string,
      string,
      number,
      number,
      number,
      number,
    ];
    const state = this.of(partition);
    const refusal = this.#refusal(state, me, storeId);
    if (refusal !== undefined) return refusal;
    if (!state.leases.has(other) && !state.entries.has(other)) return ['GONE'];
    if (state.leases.get(other) !== 0 && force !== 1) return ['LIVE'];
    state.leases.set(other, 0);
    const held = state.entries.get(other) ?? 0;
    const taken = Math.min(held, max);
    state.entries.set(other, held - taken);
    if (held === taken) {
      state.entries.delete(other);
      state.leases.delete(other);
    }
    return ['OK', held - taken, taken, state.deadlines[0] ?? 0, ++state.writes];
  }

  #fire(partition: number, args: Args): Reply {
    const [me, storeId, max, , all] = args as [string, string, number, number, number];
    const state = this.of(partition);
    const refusal = this.#refusal(state, me, storeId);
    if (refusal !== undefined) return refusal;
    state.deadlines.sort((a, b) => a - b);
    const due = state.deadlines.filter((atMs) => all === 1 || atMs <= Date.now()).slice(0, max);
    state.deadlines.splice(0, due.length);
    if (due.length > 0) state.writes++;
    return ['OK', due.length, state.deadlines[0] ?? 0, state.writes];
  }

  #retire(partition: number, args: Args): Reply {
    const [holder, storeId] = args as [string, string];
    const state = this.of(partition);
    if (state.id !== storeId) return ['EPOCH', state.id];
    const held = state.entries.get(holder) ?? 0;
    if (held > 0) return ['HELD', held];
    state.leases.delete(holder);
    state.batches.delete(holder);
    if (state.owner === holder) this.#disown(partition);
    return ['OK'];
  }

  #disown(partition: number): void {
    this.of(partition).owner = '';
    this.published.push({ partition, name: 'sys', message: 'o' });
    this.onPublish(partition, 'sys', 'o');
  }
}
