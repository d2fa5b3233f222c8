import type { Ratio } from './tables.ts';

/** Ratios of a run that later ones are compared with, by scenario, then by case, figure and peer. */
export interface Baseline {
  readonly commit: string;
  readonly machine: string;
  readonly ratios: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** Beyond this a ratio is worse: less is the noise of a machine that does other things too. */
export const tolerance = 1.25;

export interface Comparison {
  readonly key: string;
  readonly before: number;
  /** Undefined: not measured this time. */
  readonly now: number | undefined;
  readonly isWorse: boolean;
}

/** What the baseline knows of one scenario beside what was measured now. */
export function compared(
  baseline: Readonly<Record<string, number>>,
  ratios: readonly Ratio[],
): readonly Comparison[] {
  return Object.entries(baseline).map(([key, before]) => {
    const found = ratios.find((ratio) => ratio.key === key);
    if (found === undefined) return { key, before, now: undefined, isWorse: false };
    const times = found.better === 'less' ? found.ratio / before : before / found.ratio;
    return { key, before, now: found.ratio, isWorse: times > tolerance };
  });
}
