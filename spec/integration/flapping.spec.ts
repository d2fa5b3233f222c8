import { afterEach, describe, expect, it } from '@jest/globals';
import { closeClients, connect, type TestClient } from '../support/client.ts';
import { foldOf, problemsOf } from '../support/journal-problems.ts';
import { seededRandom } from '../support/late-stores.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { startTestServer, testApp, type TestServer } from '../support/server.ts';

const seconds = Number(process.env['FLAPPING_SECONDS'] ?? 20);
const seed = Number(process.env['CHAOS_SEED'] ?? 20_261_121);
const users = 200;
const rooms = ['presence-a', 'presence-b', 'presence-c', 'presence-d'];
/** As many graces as there would be in 20 s with the default one. */
const graceMs = (seconds * 1_000) / (20 / 3);

let server: TestServer | undefined;
let receiver: Receiver | undefined;
afterEach(async () => {
  closeClients();
  await server?.stop();
  await receiver?.stop();
});

/** A user who comes and goes: by unsubscribing, by closing, by vanishing. */
class Flapper {
  readonly name: string;
  readonly room: string;
  flaps = 0;
  isIn = false;
  /** The longest time it was away and came back, as it saw it itself: from before the leave until after the return. */
  longestAwayMs = 0;
  readonly #random: () => number;
  readonly #target: TestServer;
  #client: TestClient | undefined;
  #leftAtMs = 0;

  constructor(index: number, target: TestServer) {
    this.name = `user-${index}`;
    this.room = rooms[index % rooms.length]!;
    this.#random = seededRandom(seed + index);
    this.#target = target;
  }

  async flapUntil(endMs: number): Promise<void> {
    await this.#join();
    while (performance.now() < endMs) {
      await this.#pause();
      this.#leave();
      // One in four comes back at once, the others while the grace lasts.
      if (this.#random() > 0.25) await this.#pause();
      await this.#join();
      this.longestAwayMs = Math.max(this.longestAwayMs, performance.now() - this.#leftAtMs);
      this.flaps += 1;
    }
    if (this.#random() < 0.5) this.#leave();
  }

  async #join(): Promise<void> {
    this.#client ??= await connect(this.#target);
    await this.#client.subscribed(this.room, { user_id: this.name });
    this.isIn = true;
  }

  #leave(): void {
    this.#leftAtMs = performance.now();
    this.isIn = false;
    const way = this.#random();
    if (way < 0.4) {
      this.#client?.unsubscribe(this.room);
      return;
    }
    if (way < 0.7) this.#client?.socket.close(1000);
    else this.#client?.terminate();
    this.#client = undefined;
  }

  /** The pace of a user, up to half of the grace. */
  #pause(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, (this.#random() * graceMs) / 2));
  }
}

describe(`${users} users who flap within the grace for ${seconds} s`, () => {
  it(
    `are told in strict alternation, and the fold is who is there (seed ${seed})`,
    async () => {
      receiver = await startReceiver(testApp);
      const { journal } = receiver;
      server = await startTestServer({
        app: { webhooks: [{ url: receiver.url }] },
        config: { webhooks: { graceMs: Math.round(graceMs), batchWindowMs: 50 }, log: { level: 'warn' } },
      });
      const target = server;
      const flappers = Array.from({ length: users }, (_, index) => new Flapper(index, target));
      const endMs = performance.now() + seconds * 1_000;
      await Promise.all(flappers.map((flapper) => flapper.flapUntil(endMs)));

      const last = await connect(target);
      await last.subscribed('last');
      await last.close();
      await journal.until(({ events }) => isTold(events, 'last'));
      const live = Object.fromEntries(
        rooms.map((room) => [
          room,
          flappers
            .filter((flapper) => flapper.isIn && flapper.room === room)
            .map(({ name }) => name)
            .sort(),
        ]),
      );
      await journal.until(({ events }) => JSON.stringify(foldOf(events)) === JSON.stringify(live));
      expect(foldOf(journal.events)).toEqual(live);
      expect(problemsOf(journal)).toEqual([]);

      const steady = flappers.filter(({ longestAwayMs }) => longestAwayMs < graceMs);
      const toldOf = ({ name }: Flapper): readonly string[] =>
        journal.events.filter(({ user_id: user }) => user === name).map((event) => event.name);
      const expectedOf = ({ isIn }: Flapper): readonly string[] =>
        isIn ? ['member_added'] : ['member_added', 'member_removed'];
      expect(steady.map(toldOf)).toEqual(steady.map(expectedOf));

      const flaps = flappers.reduce((sum, flapper) => sum + flapper.flaps, 0);
      process.stdout.write(
        `flapping: ${flaps} flaps of ${users} users (${steady.length} never away for a grace of ${Math.round(graceMs)} ms), ${journal.eventCount} events told\n`,
      );
      expect(flaps).toBeGreaterThan(users);
      expect(steady.length).toBeGreaterThan(0);
    },
    30_000 + seconds * 2_000,
  );
});

function isTold(
  events: readonly { readonly name: string; readonly channel: string }[],
  name: string,
): boolean {
  return events.some((event) => event.name === 'channel_vacated' && event.channel === name);
}
