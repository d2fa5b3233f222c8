import type { AppState, Witness } from '../cluster/agreement.ts';
import { type AppName, isPresence, type Seat, seatsFor } from '../cluster/apps.ts';
import { unionOf, witnessesOf } from '../cluster/seen-by-clients.ts';
import type { SimNode } from './sim-node.ts';
import { SimSocket } from './sim-socket.ts';
import { type ClientStep, seatCount } from './story.ts';
import type { VirtualClock } from './virtual-clock.ts';

interface Visit {
  readonly channel: string;
  readonly user: string;
}

/** Clients in their seats, each with one connection at most. */
export class SimClients {
  readonly #clock: VirtualClock;
  readonly #nodeAt: (slot: number) => SimNode | undefined;
  readonly #seats = seatsFor(seatCount);
  readonly #sockets = new Map<Seat, SimSocket>();
  readonly #visits = new Map<AppName, Map<string, Visit>>();
  readonly #pastProblems: string[] = [];
  #connections = 0;

  /** @param nodeAt The node of that slot, or the next that lives. */
  constructor(clock: VirtualClock, nodeAt: (slot: number) => SimNode | undefined) {
    this.#clock = clock;
    this.#nodeAt = nodeAt;
  }

  /** What a client saw that it must not see. */
  get problems(): readonly string[] {
    return [...this.#pastProblems, ...[...this.#sockets.values()].flatMap(problemsOf)];
  }

  /** What is not answered yet. */
  get unsettled(): readonly string[] {
    return [...this.#sockets.values()].flatMap(({ isOpen, hasEnded, view }) => [
      ...(isOpen || hasEnded ? [] : [`${view.name}: has no connection yet`]),
      ...(isOpen ? view.asked.map((channel) => `${view.name}: ${channel} was never answered`) : []),
    ]);
  }

  run(step: ClientStep): void {
    this.#remember();
    const seat = this.#seatAt(step.seat);
    const socket = this.#sockets.get(seat);
    switch (step.do) {
      case 'join':
        if (socket === undefined || socket.hasEnded) this.#connect(seat, [step.channel], step.node);
        else socket.join(step.channel);
        break;
      case 'leave':
        socket?.leave(step.channel);
        break;
      case 'flap':
        if (socket?.view.joined.includes(step.channel) !== true) break;
        socket.leave(step.channel);
        socket.join(step.channel);
        break;
      case 'close':
        this.#end(seat, 1000);
        break;
      case 'cut':
        this.#end(seat, 1006);
        break;
      case 'reconnect':
        this.#end(seat, 1006);
        this.#connect(seat, socket?.wanted ?? [], step.node);
        break;
    }
  }

  /** Its clients lose their connections; they stay away, or come back to another node at once. */
  nodeDies(node: SimNode, kill: () => void, fleeTo: number | undefined): void {
    this.#remember();
    const orphans = [...this.#sockets].filter(([, socket]) => socket.node === node && !socket.hasEnded);
    kill();
    for (const [seat, { wanted }] of orphans) {
      if (fleeTo === undefined) this.#forget(seat);
      else this.#connect(seat, wanted, fleeTo);
    }
  }

  /** Who was ever subscribed to what, of channels with members; for others the user is empty. */
  visitsOf(app: AppName): readonly Visit[] {
    this.#remember();
    return [...(this.#visits.get(app)?.values() ?? [])];
  }

  /** The union of the live sockets. */
  truthOf(app: AppName): AppState {
    return unionOf(this.#openOf(app));
  }

  /** What each client sees of the channels it is in. */
  witnessesOf(app: AppName): readonly Witness[] {
    return witnessesOf(this.#openOf(app));
  }

  #openOf(app: AppName): readonly SimSocket[] {
    return [...this.#sockets.values()].filter(({ isOpen, seat }) => isOpen && seat.app === app);
  }

  #seatAt(index: number): Seat {
    const seat = this.#seats[index];
    if (seat === undefined) throw new RangeError(`there is no seat ${index}`);
    return seat;
  }

  #connect(seat: Seat, wanted: Iterable<string>, slot: number): void {
    const node = this.#nodeAt(slot);
    this.#forget(seat);
    if (node === undefined) return;
    this.#connections += 1;
    const name = `${seat.user} (${node.name}, connection ${this.#connections})`;
    this.#sockets.set(seat, new SimSocket(name, seat, node, wanted, this.#clock));
  }

  #end(seat: Seat, code: 1000 | 1006): void {
    this.#sockets.get(seat)?.end(code);
    this.#forget(seat);
  }

  /** What a connection that is over has seen stays seen. */
  #forget(seat: Seat): void {
    const socket = this.#sockets.get(seat);
    if (socket === undefined) return;
    this.#pastProblems.push(...problemsOf(socket));
    this.#sockets.delete(seat);
  }

  #remember(): void {
    for (const { seat, view, isOpen } of this.#sockets.values()) {
      if (!isOpen) continue;
      const visits = this.#visits.get(seat.app) ?? new Map<string, Visit>();
      this.#visits.set(seat.app, visits);
      for (const channel of view.joined) {
        const user = isPresence(channel) ? seat.user : '';
        visits.set(`${channel} ${user}`, { channel, user });
      }
    }
  }
}

function problemsOf({ view, closeCodes }: SimSocket): readonly string[] {
  return [...view.problems, ...closeCodes.map((code) => `${view.name}: was closed with ${code}`)];
}
