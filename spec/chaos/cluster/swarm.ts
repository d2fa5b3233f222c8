import type { AppState, Witness } from './agreement.ts';
import { type AppName, channels, isPresence, type Seat } from './apps.ts';
import { unionOf, witnessesOf } from './seen-by-clients.ts';
import { SwarmSocket } from './swarm-socket.ts';

/** Where clients connect to; undefined: no node is alive. */
export type ChooseNode = () => { readonly name: string; readonly port: number } | undefined;

interface Visit {
  readonly channel: string;
  readonly user: string;
}

/** After their connection was taken from them, most clients come back so soon, as stock clients do. */
const comeBackMs = 150;
/** The others stay away: that nobody comes in their place shows what is told of those whose node died. */
const awayShare = 0.4;

/**
 * Clients in their seats, each with one connection at most, who come, go and flap as the random numbers say, and come back
 * to any node when theirs has gone.
 */
export class Swarm {
  readonly tally = { connections: 0, joins: 0, leaves: 0, drops: 0, comebacks: 0, aways: 0 };
  readonly #seats: readonly Seat[];
  readonly #choose: ChooseNode;
  readonly #random: () => number;
  readonly #sockets = new Map<Seat, SwarmSocket>();
  readonly #pastProblems: string[] = [];
  readonly #visits = new Map<AppName, Map<string, Visit>>();
  readonly #comebacks = new Set<NodeJS.Timeout>();
  readonly #away = new Set<Seat>();
  #isOver = false;

  constructor(seats: readonly Seat[], choose: ChooseNode, random: () => number) {
    this.#seats = seats;
    this.#choose = choose;
    this.#random = random;
  }

  /** What a client saw that it must not see. */
  get problems(): readonly string[] {
    return [...this.#pastProblems, ...this.#open.flatMap(({ view }) => view.problems)];
  }

  /** Who was ever subscribed to what, of channels with members; for others the user is empty. */
  visitsOf(app: AppName): readonly Visit[] {
    for (const { seat, view } of this.#openOf(app)) this.#remember(seat, view.joined);
    return [...(this.#visits.get(app)?.values() ?? [])];
  }

  /** Everybody comes, into two or three channels each. */
  fill(): void {
    for (const seat of this.#seats) this.#connect(seat, this.#someChannels());
  }

  /** One client does one thing. */
  step(): void {
    const seat = this.#pick(this.#seats);
    if (seat === undefined || this.#away.has(seat)) return;
    const socket = this.#sockets.get(seat);
    if (socket === undefined) {
      this.#connect(seat, this.#someChannels());
      return;
    }
    const channel = this.#pick(channels) ?? '';
    const dice = this.#random();
    if (dice < 0.08) this.#drop(seat, socket);
    else if (dice < 0.11) {
      this.#drop(seat, socket);
      this.#connect(seat, [...socket.wanted]);
    } else if (!socket.wanted.has(channel)) this.#join(socket, channel);
    else {
      this.#leave(socket, channel);
      if (dice > 0.8) this.#join(socket, channel);
    }
  }

  /** That share of all clients goes at once. */
  dropMany(share: number): void {
    for (const [seat, socket] of this.#sockets) {
      if (this.#random() < share) this.#drop(seat, socket);
    }
  }

  /** What is not answered yet: the state of others is compared when this is empty. */
  unsettled(): readonly string[] {
    return [...this.#sockets.values()].flatMap(({ view, isComing }) => [
      ...(isComing ? [`${view.name}: has no connection yet`] : []),
      ...view.asked.map((channel) => `${view.name}: ${channel} was asked for and never answered`),
    ]);
  }

  /** The union of the live sockets. */
  truthOf(app: AppName): AppState {
    return unionOf(this.#openOf(app));
  }

  /** What each client sees of the channels it is in. */
  witnessesOf(app: AppName): readonly Witness[] {
    return witnessesOf(this.#openOf(app));
  }

  /** Which sockets in the channel have not heard that message. */
  deafTo(app: AppName, channel: string, from: string, n: number): readonly string[] {
    return this.#openOf(app)
      .filter(({ view }) => view.joined.includes(channel) && !view.hasHeard(channel, from, n))
      .map(({ view }) => `${view.name}: did not hear message ${n} of ${from} in ${channel}`);
  }

  /** The last of what a client asked and was told, for those that a text names. */
  journalsNamedIn(text: string): readonly string[] {
    return [...this.#sockets.values()]
      .filter(({ view }) => text.includes(`${view.name}:`))
      .map(({ view }) => `journal of ${view.name}:\n  ${view.journal.join('\n  ')}`);
  }

  /** Who loses its connection from now on stays away. */
  stayAway(): void {
    this.#isOver = true;
    for (const timer of this.#comebacks) clearTimeout(timer);
  }

  stop(): void {
    this.stayAway();
    for (const socket of this.#sockets.values()) socket.cut();
  }

  get #open(): readonly SwarmSocket[] {
    return [...this.#sockets.values()].filter(({ isOpen }) => isOpen);
  }

  #openOf(app: AppName): readonly SwarmSocket[] {
    return this.#open.filter(({ seat }) => seat.app === app);
  }

  #connect(seat: Seat, wanted: readonly string[]): void {
    const node = this.#choose();
    if (node === undefined || this.#isOver) return;
    this.tally.connections += 1;
    const name = `${seat.user} (${node.name}, connection ${this.tally.connections})`;
    const socket = new SwarmSocket(name, seat, node.port, wanted, () => this.#lose(seat, socket));
    this.#sockets.set(seat, socket);
  }

  /** The connection of a client has gone from under it, or never came about. */
  #lose(seat: Seat, socket: SwarmSocket): void {
    const wasThere = socket.view.joined.length > 0;
    this.#forget(seat, socket);
    if (wasThere && this.#random() < awayShare) {
      this.tally.aways += 1;
      this.#away.add(seat);
      return;
    }
    this.tally.comebacks += 1;
    const timer = setTimeout(() => {
      this.#comebacks.delete(timer);
      if (!this.#sockets.has(seat)) this.#connect(seat, [...socket.wanted]);
    }, this.#random() * comeBackMs);
    this.#comebacks.add(timer);
  }

  #drop(seat: Seat, socket: SwarmSocket): void {
    this.tally.drops += 1;
    this.#forget(seat, socket);
    if (this.#random() < 0.5) socket.close();
    else socket.cut();
  }

  #forget(seat: Seat, { view }: SwarmSocket): void {
    this.#remember(seat, view.joined);
    this.#pastProblems.push(...view.problems);
    this.#sockets.delete(seat);
  }

  #join(socket: SwarmSocket, channel: string): void {
    this.tally.joins += 1;
    socket.join(channel);
  }

  #leave(socket: SwarmSocket, channel: string): void {
    this.tally.leaves += 1;
    this.#remember(socket.seat, socket.view.joined);
    socket.leave(channel);
  }

  #remember({ app, user }: Seat, joined: readonly string[]): void {
    const visits = this.#visits.get(app) ?? new Map<string, Visit>();
    this.#visits.set(app, visits);
    for (const channel of joined) {
      const visit = { channel, user: isPresence(channel) ? user : '' };
      visits.set(`${channel} ${visit.user}`, visit);
    }
  }

  #someChannels(): readonly string[] {
    const first = Math.floor(this.#random() * channels.length);
    return [0, 3, 5].map((offset) => channels[(first + offset) % channels.length] ?? '');
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.#random() * items.length)];
  }
}
