import type { Group, GroupSource } from '../../../lib/cluster/group-source.ts';

interface Waiting {
  readonly text: string;
  readonly changes: number;
  readonly isUrgent: boolean;
}

/** A source of texts. What it keeps (`holds`) it tells again when it is asked for everything. */
export class FakeSource implements GroupSource {
  /** What was said to it, in order. */
  readonly log: string[] = [];
  readonly answers: string[] = [];
  /** What it tells again under a new name, by partition. */
  readonly holds = new Map<number, string[]>();
  onAnswered: (text: string) => void = () => undefined;
  readonly #waiting = new Map<number, Waiting[]>();

  add(partition: number, text: string, { changes = 1, isUrgent = true } = {}): void {
    this.#of(partition).push({ text, changes, isUrgent });
  }

  take(partition: number, room: number): readonly Group[] {
    const groups: Group[] = [];
    const waiting = this.#of(partition);
    let left = room;
    for (let next = waiting[0]; next !== undefined && next.changes <= left; next = waiting[0]) {
      waiting.shift();
      left -= next.changes;
      groups.push(this.#groupOf(next));
    }
    return groups;
  }

  waiting(partition: number): { readonly changes: number; readonly isUrgent: boolean } {
    const waiting = this.#of(partition);
    return {
      changes: waiting.reduce((sum, { changes }) => sum + changes, 0),
      isUrgent: waiting.some(({ isUrgent }) => isUrgent),
    };
  }

  away(): void {
    this.log.push('away');
  }

  returned(): void {
    this.log.push('returned');
  }

  assertAll(partition: number, { isWiped }: { readonly isWiped: boolean }): void {
    this.log.push(`assert ${partition}${isWiped ? ' wiped' : ''}`);
    for (const text of this.holds.get(partition) ?? []) this.add(partition, text);
  }

  #groupOf({ text, changes }: Waiting): Group {
    return {
      args: ['e', '', '', '', text],
      changes,
      answered: (reply) => {
        this.answers.push(reply);
        this.onAnswered(text);
      },
    };
  }

  #of(partition: number): Waiting[] {
    const known = this.#waiting.get(partition);
    if (known !== undefined) return known;
    const waiting: Waiting[] = [];
    this.#waiting.set(partition, waiting);
    return waiting;
  }
}
