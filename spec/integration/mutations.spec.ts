import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Checkout, occurrences } from '../mutations/checkout.ts';
import { type Mutation, mutations } from '../mutations/mutations.ts';

/** `npm run mutations` makes all of them, one after the other; here a few show that the mechanism works. */
const all = process.env['SPILLWAY_MUTATIONS'] === 'all';
const short = ['any signature', 'no rate', 'stale requests'];
const made = mutations.filter(({ what }) => all || short.includes(what));
const specs = [...new Set(made.flatMap((mutation) => mutation.specs))];

/** Every section of protocol.md with something to check. */
const sections = [
  ...['1.1', '1.2', '1.3', '1.4', '1.5'],
  ...['2.1', '2.2', '2.3', '2.4'],
  ...['3.1', '3.2', '3.3', '3.4', '3.5', '3.6'],
  ...['4', '5', '6'],
  ...['7.1', '7.2', '7.3', '7.4', '7.5'],
];

describe('the list of mutations', () => {
  it('has one for every section of the protocol', () => {
    expect([...new Set(mutations.map(({ section }) => section))].sort()).toEqual([...sections].sort());
  });

  it.each(mutations)('finds the check behind "$what" once in $file', (mutation) => {
    expect(occurrences(mutation)).toBe(1);
  });
});

describe('a check taken out on purpose', () => {
  let checkout: Checkout;
  beforeAll(() => {
    checkout = new Checkout();
  });
  afterAll(() => checkout.remove());

  it('nothing fails while nothing is taken out', async () => {
    expect(await checkout.unchanged(specs)).toEqual({ passed: expect.any(Number) });
  }, 300_000);

  it.each(made)(
    '$section: $what makes a case fail',
    async (mutation: Mutation) => {
      const { failed, broken } = await checkout.mutated(mutation);
      expect(broken).toBeUndefined();
      expect(failed).toEqual(expect.any(String));
    },
    120_000,
  );
});
