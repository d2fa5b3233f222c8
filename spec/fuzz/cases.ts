import { commandCase, type Command, type FrameCase, rawFrameCase } from './frames.ts';
import { type Random, randomOf } from './random.ts';
import { type Endpoint, endpointCase, rawRequestCase, type RequestCase } from './requests.ts';

export type Case = FrameCase | RequestCase;

const frame =
  (command: Command) =>
  (random: Random): Case =>
    commandCase(command, random);
const request =
  (endpoint: Endpoint) =>
  (random: Random): Case =>
    endpointCase(endpoint, random);

/** How often each command and endpoint is fuzzed, in percent. */
const mix: readonly (readonly [weight: number, make: (random: Random) => Case])[] = [
  [15, frame('subscribe')],
  [7, frame('unsubscribe')],
  [7, frame('signin')],
  [9, frame('client event')],
  [6, frame('ping')],
  [6, frame('pong')],
  [6, frame('unknown')],
  [9, request('events')],
  [7, request('batch_events')],
  [6, request('channels')],
  [6, request('channels/:name')],
  [6, request('channels/:name/users')],
  [6, request('terminate_connections')],
  [6, request('lifecycle')],
  [6, request('lifecycle/snapshot')],
  [3, rawFrameCase],
  [1, rawRequestCase],
];

/** The case of this number: the same for the same seed, whatever was sent before. */
export function caseOf(seed: number, index: number): Case {
  const random = randomOf(seed, index);
  return random.weighted(mix)(random);
}
