// A tenant whose users come and go: opens a socket, subscribes it to a channel of its own, and closes it, so many times a
// second. Each visit is two events for webhooks, and when each happened is kept.
import { connect } from 'node:net';
import { performance } from 'node:perf_hooks';
import { closeFrame, FrameReader, textFrame, upgradeRequest } from './frames.js';
import { serve } from './worker.js';

serve({
  /** Makes `visits` at `perSecond`; answers when each event happened, by its key as the receiver has it. */
  async visit(plan) {
    const happened = {};
    const startedMs = performance.now();
    const visits = [];
    for (let index = 0; index < plan.visits; index++) {
      await until(startedMs + (index * 1000) / plan.perSecond);
      visits.push(visit(plan, `${plan.prefix}${index}`, happened));
    }
    await Promise.all(visits);
    return happened;
  },
});

function until(atMs) {
  const leftMs = atMs - performance.now();
  return leftMs <= 0 ? undefined : new Promise((resolve) => setTimeout(resolve, leftMs));
}

function visit({ port, key }, channel, happened) {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const reader = new FrameReader();
  const note = (name) => {
    happened[`${name} ${channel}`] = performance.timeOrigin + performance.now();
  };
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', resolve);
    socket.on('connect', () => socket.write(upgradeRequest(key)));
    socket.on('data', (chunk) =>
      reader.read(chunk, (_, payload) => {
        const text = payload.toString();
        if (text.includes('connection_established')) {
          note('channel_occupied');
          socket.write(textFrame({ event: 'pusher:subscribe', data: { channel } }));
        }
        if (!text.includes('subscription_succeeded')) return;
        note('channel_vacated');
        socket.end(closeFrame);
      }),
    );
  });
}
