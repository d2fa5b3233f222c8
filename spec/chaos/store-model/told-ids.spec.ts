import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Director } from './director.ts';
import type { OutboxEntry, PartitionState } from './partition-state.ts';
import { story } from './steps.ts';
import { fieldOf } from './stream.ts';

/** Every id that a store gave, whatever it has lost since, and which event it stands for. */
class ToldIds {
  /** Id → app, kind, channel and user. */
  readonly #meanings = new Map<string, string>();
  /** Id → the whole entry. */
  readonly #entries = new Map<string, string>();
  readonly #problems = new Set<string>();

  get problems(): readonly string[] {
    return [...this.#problems];
  }

  get size(): number {
    return this.#entries.size;
  }

  look(state: PartitionState): void {
    for (const [app, { entries }] of state.outbox) for (const entry of entries) this.#lookAt(app, entry);
    // A snapshot gives these ids.
    for (const [key, { numbering, occupiedSeq, users }] of state.channels) {
      if (occupiedSeq === undefined) continue;
      const epoch = numbering?.epoch ?? '';
      this.#note(this.#meanings, `${epoch}-${occupiedSeq}`, `channel_occupied ${key}`);
      for (const [user, { seq }] of users) {
        this.#note(this.#meanings, `${epoch}-${seq}`, `member_added ${key} ${user}`);
      }
    }
  }

  #lookAt(app: string, entry: OutboxEntry): void {
    const kind = fieldOf(entry, 'k') ?? '';
    const key = `${app}:${fieldOf(entry, 'c') ?? ''}`;
    const epoch = fieldOf(entry, 'e');
    const user = fieldOf(entry, 'u');
    if (kind === 'subscription_count') {
      const { id } = JSON.parse(fieldOf(entry, 'j') ?? '') as { readonly id: string };
      this.#note(this.#entries, id, JSON.stringify(entry.fields));
    } else if (epoch !== undefined) {
      const id = `${epoch}-${fieldOf(entry, 's') ?? ''}`;
      if (id.endsWith('-1') && kind !== 'channel_occupied') this.#problems.add(`${id} begins with ${kind}`);
      this.#note(this.#entries, id, JSON.stringify(entry.fields));
      this.#note(this.#meanings, id, [kind, key, ...(user === undefined ? [] : [user])].join(' '));
    }
  }

  #note(known: Map<string, string>, id: string, text: string): void {
    const before = known.get(id) ?? text;
    known.set(id, before);
    if (before !== text) this.#problems.add(`${id}: ${before}, ${text}`);
  }
}

test('no two events have one id, and each epoch begins with occupied, whatever the store lost', () => {
  let told = 0;
  let losses = 0;
  fc.assert(
    fc.property(story, ({ graceMs, steps }) => {
      const ids = new ToldIds();
      const director = new Director(graceMs);
      director.play(steps, (state) => ids.look(state));
      expect(ids.problems).toEqual([]);
      told += ids.size;
      losses += director.commands.filter((command) => command.do === 'fallBack').length;
    }),
    { numRuns: 150 },
  );
  expect(told).toBeGreaterThan(1_000);
  expect(losses).toBeGreaterThan(30);
});
