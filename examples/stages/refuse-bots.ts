import { defineStage } from 'spillway';

/** Turns away clients that say they are a bot. 4009 makes stock clients stop trying (protocol table of close codes). */
export default defineStage({
  name: 'refuse-bots',
  slot: 'connect:admitted',
  guard: ({ request }) =>
    /bot|crawler|spider/i.test(request.client) ? { closeCode: 4009, reason: 'no bots, please' } : true,
});
