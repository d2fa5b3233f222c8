import { defineStage } from 'spillway';

/** Between these hours, UTC, only presence and subscriptions work: client events are dropped. */
const fromHour = 22;
const toHour = 6;

/** Drops client events at night. */
export default defineStage({
  name: 'quiet-hours',
  slot: 'message:authorized',
  filter: (message, { clock }) => {
    if (message.kind !== 'client-event') return true;
    const hour = new Date(clock.now()).getUTCHours();
    return hour >= toHour && hour < fromHour;
  },
});
