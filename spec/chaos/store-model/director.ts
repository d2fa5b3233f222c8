import { canonicalReply } from './canonical.ts';
import type { ScriptName } from '../../../lib/redis/script-names.ts';
import type { Reply } from '../../../lib/redis/store-link.ts';
import { dumpModel } from './dump.ts';
import { GroupWriter } from './group-writer.ts';
import { ModelStore } from './model-store.ts';
import type { Heard, History, StoreCommand } from './real-store.ts';
import type { PartitionState } from './partition-state.ts';
import { OutboxDirector } from './outbox-director.ts';
import { apps, type Change, channels, type Claims, holderCount, type Step, users } from './steps.ts';

const leaseMs = 8_000;
const retainMs = 30_000;
const partitions = 1;
const dumpEvery = 8;

/** A node as far as the store sees it. */
interface Node {
  incarnation: number;
  storeId: string;
  generation: number;
  /** The most that the store has said it had. */
  writes: number;
  acked: number;
  /** The last batch that was sent. */
  sent: { readonly number: number; readonly rest: readonly (string | number)[] } | undefined;
}

/**
 * Plays a story on the model, and notes what was asked of the store and what it answered, so that another store can be asked
 * the same. What a node knows of the store comes from the answers, as it would.
 */
export class Director {
  readonly commands: StoreCommand[] = [];
  readonly #store = new ModelStore(partitions);
  readonly #nodes: readonly Node[] = Array.from({ length: holderCount }, newNode);
  readonly #graceMs: number;
  readonly #answers: History['answers'][number][] = [];
  readonly #heard: Heard[] = [];
  readonly #outbox = new OutboxDirector((script, args) => this.#run(script, args));
  #nowMs = 1_700_000_000_000;
  #stores = 0;
  #savedAtMs: number | undefined;
  /** Holders of whom the last renewal said that they are to be reaped. */
  #fenced: readonly string[] = [];

  constructor(graceMs: number) {
    this.#graceMs = graceMs;
    this.#store.messages$.subscribe(({ name, message }) => this.#heard.push({ topic: name, message }));
  }

  get history(): History {
    return { answers: this.#answers, heard: this.#heard };
  }

  /** `look` sees the store after each step. */
  play(steps: readonly Step[], look: (state: PartitionState) => void = () => undefined): void {
    this.#opens();
    for (let holder = 0; holder < holderCount; holder++) this.#renew(holder, 1, 'truth');
    for (const [at, step] of steps.entries()) {
      this.#take(step);
      look(this.#store.state(0));
      if (at % dumpEvery === 0) this.#dump();
    }
    this.#dump();
  }

  #take(step: Step): void {
    this.#nowMs += 1;
    switch (step.do) {
      case 'batch':
        this.#batch(step.holder, step.cause, step.changes);
        break;
      case 'repeat':
      case 'skip':
      case 'stray':
        this.#sendWrongly(step.do, step.holder);
        break;
      case 'renew':
        this.#renew(step.holder, step.flags, step.claims, step.leaseMs);
        break;
      case 'reap':
        this.#reap(step);
        break;
      case 'fire':
        this.#fire(step);
        break;
      case 'retire':
        this.#run('retire', [this.#name(step.holder), this.#node(step.holder).storeId]);
        break;
      case 'beginAnew':
        this.#beginAnew(step.holder);
        break;
      case 'ask':
        this.#ask(step.app, step.channel, step.limit);
        break;
      case 'quota':
        this.#run('quota', [this.#name(step.holder), apps[0], step.used, step.want, step.limit]);
        break;
      case 'cache':
        this.#run('recall', [apps[0], 'cache-a']);
        this.#run('remember', [apps[0], 'cache-a', step.text, step.ttlMs, step.isOnlyNewer ? 1 : 0]);
        break;
      case 'list':
      case 'lane':
      case 'outbox':
      case 'timeline':
        this.#outbox.play(step, this.#name(step.holder), this.#store.state(0));
        break;
      case 'wait':
        this.#nowMs += step.ms;
        break;
      case 'save':
        this.#savedAtMs = this.#nowMs;
        this.#does('save');
        break;
      case 'fallBack':
        this.#fallBack();
        break;
      case 'wipe':
        this.#wipe();
        break;
    }
  }

  #fire({ holder, max, isAll }: Step & { readonly do: 'fire' }): void {
    const node = this.#node(holder);
    hears(node, this.#run('fire', [this.#name(holder), node.storeId, max, retainMs, isAll ? 1 : 0]));
  }

  #batch(holder: number, cause: string, changes: readonly Change[]): void {
    const node = this.#node(holder);
    const state = this.#store.state(0);
    const groups = new GroupWriter(state, this.#name(holder)).groupsOf(changes);
    const rest = [this.#graceMs, retainMs, cause, groups.length, ...groups.flat()];
    node.sent = { number: node.acked + 1, rest };
    this.#send(holder);
  }

  #send(holder: number): void {
    const node = this.#node(holder);
    if (node.sent === undefined) return;
    const { number, rest } = node.sent;
    const reply = this.#run('apply', [this.#name(holder), node.storeId, number, ...rest]);
    const [word, told] = reply;
    hears(node, reply);
    if (word === 'OK' || word === 'DUP') node.acked = number;
    if (word === 'GAP') node.acked = Number(told);
    if (word === 'FENCED') this.#beginAnew(holder);
  }

  #sendWrongly(how: 'repeat' | 'skip' | 'stray', holder: number): void {
    const node = this.#node(holder);
    if (node.sent === undefined) return;
    const { number, rest } = node.sent;
    const storeId = how === 'stray' ? 'another' : node.storeId;
    const sent = number + (how === 'skip' ? 2 : 0);
    hears(node, this.#run('apply', [this.#name(holder), storeId, sent, ...rest]));
  }

  #renew(holder: number, flags: number, claims: Claims, lastsMs = leaseMs): void {
    const node = this.#node(holder);
    this.#stores += 1;
    const reply = this.#run('renew', [
      this.#name(holder),
      claims === 'nothing' ? '' : node.storeId,
      node.acked + (claims === 'more batches' ? 1 : 0),
      lastsMs,
      partitions + (claims === 'other partitions' ? 1 : 0),
      `s${this.#stores}`,
      node.generation + (claims === 'another generation' ? 1 : 0),
      flags & 1,
      flags >> 1,
      node.writes + (claims === 'more writes' ? 1 : 0),
    ]);
    const [word, , id, generation, writes] = reply;
    if (word === 'OK') {
      Object.assign(node, { storeId: id, generation, writes: Math.max(node.writes, Number(writes)) });
      this.#fenced = fencedIn(reply);
    }
    if (word === 'GAP') node.acked = Number(reply[1]);
    if (word === 'EPOCH') node.writes = 0;
    if (word === 'EPOCH' || word === 'FENCED') this.#beginAnew(holder);
  }

  #reap({ holder, other, max, isForced }: Step & { readonly do: 'reap' }): void {
    // Whoever is dead, or a former one of its own, or the living for whom it is not meant.
    const before = this.#node(other).incarnation - (holder === other ? 1 : 0);
    const fenced = this.#fenced[other % this.#fenced.length] ?? `n${other}.${before}`;
    const node = this.#node(holder);
    const reply = this.#run('reap', [
      ...[this.#name(holder), fenced, node.storeId, max],
      ...[this.#graceMs, retainMs, isForced ? 1 : 0, 'reconciled'],
    ]);
    hears(node, reply);
  }

  /** Under another name, of what is known of the store only how far it has come. */
  #beginAnew(holder: number): void {
    const node = this.#node(holder);
    const { incarnation, generation, writes } = node;
    Object.assign(node, { ...newNode(), incarnation: incarnation + 1, generation, writes });
    this.#renew(holder, 0, 'truth');
  }

  #ask(app: number, channel: number, limit: number): void {
    const [appId, name] = [apps[app] ?? '', channels[channel]?.name ?? ''];
    this.#run('view', [appId, name, limit]);
    this.#run('channels', [appId, limit === 0 ? '' : 'presence-']);
    this.#run('channel', [appId, name]);
    this.#run('users', [appId, name]);
    this.#run('states', [appId, ...users]);
  }

  /** Everything since it was saved is lost. Those who know what there was come first. */
  #fallBack(): void {
    if (this.#savedAtMs === undefined) return;
    this.#store.failOver(this.#savedAtMs);
    this.#does('fallBack');
    for (let holder = 0; holder < holderCount; holder++) this.#renew(holder, 0, 'truth');
  }

  #wipe(): void {
    this.#store.wipe();
    this.#savedAtMs = undefined;
    this.#does('wipe');
    this.#opens();
  }

  #does(what: 'save' | 'fallBack' | 'wipe'): void {
    this.commands.push({ do: what });
    this.#answers.push('OK');
  }

  /** One of the apps has an endpoint. */
  #opens(): void {
    this.#run('endpoints', ['n0', apps[0], 'all']);
  }

  #dump(): void {
    this.commands.push({ do: 'dump', atMs: this.#nowMs });
    this.#answers.push(dumpModel(this.#store.state(0), this.#nowMs));
  }

  #run(script: ScriptName, args: readonly (string | number)[]): readonly Reply[] {
    this.commands.push({ do: 'run', script, args, atMs: this.#nowMs });
    const reply = this.#store.run(script, 0, args, this.#nowMs);
    this.#answers.push(canonicalReply(reply));
    return Array.isArray(reply) ? (reply as readonly Reply[]) : [reply];
  }

  #node(holder: number): Node {
    const node = this.#nodes[holder];
    if (node === undefined) throw new RangeError(`there is no node ${holder}`);
    return node;
  }

  #name(holder: number): string {
    return `n${holder}.${this.#node(holder).incarnation}`;
  }
}

/** After the eight words of a renewal that went well come the living, then the fenced, each list behind its length. */
function fencedIn(reply: readonly Reply[]): readonly string[] {
  const living = Number(reply[8]);
  const fenced = Number(reply[9 + living]);
  return reply.slice(10 + living, 10 + living + fenced).map(String);
}

/** The last word of a change that was made is how many there were. */
function hears(node: Node, reply: readonly Reply[]): void {
  if (reply[0] === 'OK' || reply[0] === 'DUP') node.writes = Math.max(node.writes, Number(reply.at(-1)));
}

function newNode(): Node {
  return { incarnation: 1, storeId: '', generation: 0, writes: 0, acked: 0, sent: undefined };
}
