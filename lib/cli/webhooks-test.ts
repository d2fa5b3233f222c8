import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { toApp } from '../apps/app.ts';
import type { LifecycleEvent } from '../outbox/outbox-event.ts';
import { type WebhookEndpoint, endpointsOf } from '../webhooks/endpoint.ts';
import { newBatch } from '../webhooks/new-batch.ts';
import { outcomeOf } from '../webhooks/outcome.ts';
import { toPayload } from '../webhooks/payload.ts';
import type { PostResult } from '../webhooks/post.ts';
import { signedHeaders } from '../webhooks/signer.ts';
import { createPost, type Post } from '../webhooks/undici-post.ts';
import { loadFromFlags } from './config-flags.ts';
import { printable } from './table.ts';
import type { Terminal } from './terminal.ts';
import { addEndpointFlags, type ChosenEndpoint, chosenEndpoints, nameOf } from './webhooks-chosen.ts';

interface Trial {
  readonly chosen: ChosenEndpoint;
  readonly result: PostResult;
  readonly tookMs: number;
}

/** Adds `test`: posts one signed example to endpoints, without a server. */
export function addTestCommand(group: Command, terminal: Terminal, onFailed: () => void): void {
  const command = group
    .command('test')
    .description('post an example event to the endpoints, and say what they answer');
  addEndpointFlags(command).action(async () => {
    const { config } = loadFromFlags(command, terminal.env);
    const chosen = chosenEndpoints(command, config);
    const post = createPost({ ...config.webhooks, userAgent: `Spillway/${terminal.version}` });
    try {
      const trials = await Promise.all(chosen.map((one) => attempt(one, post)));
      for (const trial of trials) terminal.out(textOf(trial));
      if (trials.some(({ result }) => outcomeOf(result).outcome !== 'taken')) onFailed();
    } finally {
      await post.close();
    }
  });
}

async function attempt(chosen: ChosenEndpoint, { post }: Post): Promise<Trial> {
  const endpoint = endpointOf(chosen);
  const event = exampleFor(endpoint);
  const batch = newBatch(event.atMs, [event], [toPayload(event, undefined)]);
  const startMs = performance.now();
  const result = await post(endpoint, signedHeaders(endpoint, batch, Date.now()), batch.body);
  return { chosen, result, tookMs: Math.round(performance.now() - startMs) };
}

function endpointOf({ app, id }: ChosenEndpoint): WebhookEndpoint {
  const endpoint = endpointsOf(toApp(app)).find((one) => one.id === id);
  if (endpoint === undefined) throw new Error(`app ${app.id} has no endpoint ${id}`);
  return endpoint;
}

function exampleFor({ appId }: WebhookEndpoint): LifecycleEvent {
  const epoch = `test-${randomBytes(8).toString('hex')}`;
  return {
    id: `${epoch}-1`,
    appId,
    kind: 'channel_occupied',
    channel: 'spillway-test',
    atMs: Date.now(),
    epoch,
    seq: 1,
  };
}

function textOf({ chosen, result, tookMs }: Trial): string {
  const { reason } = outcomeOf(result);
  const { host } = new URL(chosen.webhook.url);
  const advice = adviceOn(result, chosen);
  const lines = [
    `${host} (${nameOf(chosen)}): ${reason}, ${tookMs} ms`,
    ...(advice === undefined ? [] : [`  ${advice}`]),
  ];
  return lines.map((line) => `${printable(line)}\n`).join('');
}

/** What to do about an answer; undefined when nothing is wrong. Without an answer, the reason says it. */
function adviceOn(result: PostResult, { app, id }: ChosenEndpoint): string | undefined {
  if (outcomeOf(result).outcome === 'taken') return undefined;
  if (result.kind === 'failed')
    return 'It has to be up, reachable from here, and answer within webhooks.timeoutMs. The server would try again.';
  const { status } = result;
  if (status < 400) return 'Put the address that it leads to into the url of the webhook.';
  if (status === 401 || status === 403)
    return `It did not accept the signature or the headers: compare its secret with what spillway webhooks secret --app ${app.id} --endpoint ${id} prints, and look at headers of the webhook.`;
  if (status === 404) return 'Nothing is at this path: check the url of the webhook.';
  if (status === 405) return 'It takes no POST at this path: check the url of the webhook.';
  if (status === 410)
    return 'It wants no more events: a running server pauses it, until spillway webhooks retry.';
  if (status === 429) return 'It is asked too often: the server would wait and try again.';
  if (status < 500) return 'It does not want this request: its log should say why.';
  return 'It failed: its log should say why. The server would try again.';
}
