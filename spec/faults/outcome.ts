/** What a scenario measured, and what was wrong in it. */
export interface Outcome {
  readonly figures: Readonly<Record<string, number | string>>;
  /** Empty: what it is to show is so. */
  readonly problems: readonly string[];
}

/** A problem when the figure is above what is promised. */
export function above(name: string, value: number, most: number): readonly string[] {
  return value <= most ? [] : [`${name}: ${value}, promised at most ${most}`];
}

/** One after the other, as one. */
export async function inTurn(scenarios: readonly (() => Promise<Outcome>)[]): Promise<Outcome> {
  let all: Outcome = { figures: {}, problems: [] };
  for (const scenario of scenarios) {
    const { figures, problems } = await scenario();
    all = { figures: { ...all.figures, ...figures }, problems: [...all.problems, ...problems] };
  }
  return all;
}
