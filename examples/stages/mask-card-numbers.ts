import { defineStage } from 'spillway';

const cardNumber = /\b\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?(\d{4})\b/g;

/** Keeps card numbers out of what applications publish: only the last four digits go out. */
export default defineStage({
  name: 'mask-card-numbers',
  slot: 'publish:accepted',
  map: (published, { metrics }) => {
    const data = published.data.replace(cardNumber, (_number, lastFour: string) => {
      metrics.count('masked');
      return `**** ${lastFour}`;
    });
    return { ...published, data };
  },
});
