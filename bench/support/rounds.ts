import { number, say } from './report.ts';
import { watchOthers } from './others.ts';
import { spreadOf } from './statistics.ts';

/** Above this share of the machine, what others do shows in the times. */
const quietShare = 0.1;

/**
 * Runs every variant once per round, in an order that turns by one each round: what changes on the machine with time
 * meets all of them alike. A variant that fails ends nothing; its place stays empty and the reason is printed.
 */
export async function inRounds<Variant extends string, Result>(
  rounds: number,
  variants: readonly Variant[],
  run: (variant: Variant, round: number) => Promise<Result>,
): Promise<ReadonlyMap<Variant, readonly (Result | undefined)[]>> {
  const results = new Map<Variant, (Result | undefined)[]>(variants.map((variant) => [variant, []]));
  const shares: number[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const index of variants.keys()) {
      const variant = variants[(index + round) % variants.length];
      if (variant === undefined) continue;
      const others = watchOthers();
      const name = `round ${round + 1}/${rounds} ${variant}`;
      try {
        const result = await run(variant, round);
        results.get(variant)?.splice(round, 1, result);
        say(`${name}: ${JSON.stringify(result ?? {}, fewDigits)}`);
      } catch (error) {
        results.get(variant)?.splice(round, 1, undefined);
        say(`${name}: not measured: ${error instanceof Error ? error.message : String(error)}`);
      }
      shares.push(others.share());
    }
  }
  sayOthers(shares);
  return results;
}

function fewDigits(_: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(4)) : value;
}

function sayOthers(shares: readonly number[]): void {
  const spread = spreadOf(shares);
  if (spread === undefined) return;
  const percent = (share: number): string => number(share * 100);
  say(
    `\nother processes took ${percent(spread.median)} % (${percent(spread.min)}–${percent(spread.max)}) of the machine`,
  );
  if (spread.median > quietShare)
    say('that is too much for the times to mean anything: only processor times count');
}
