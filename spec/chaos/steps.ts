import fc from 'fast-check';
import type { Behaviour } from '../support/receiver.ts';

/** Sockets 0 to 5 belong to the first app, two to each user; 6 and 7 to the second. */
export const users = ['ann', 'ann', 'bob', 'bob', 'cy', 'cy'] as const;
export const socketCount = 8;
export const channels = ['plain', 'presence-a', 'presence-b'] as const;
export const endpoints = ['everything', 'rooms', 'others'] as const;

export type ChannelName = (typeof channels)[number];
export type EndpointName = (typeof endpoints)[number];

export type Step = (
  | { readonly do: 'join' | 'leave'; readonly socket: number; readonly channel: ChannelName }
  /** Leaves and comes back in one go, or while its old connection is being cleaned up. */
  | { readonly do: 'flap'; readonly socket: number; readonly channel: ChannelName }
  | { readonly do: 'close' | 'cut' | 'reconnect'; readonly socket: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'fault'; readonly endpoint: EndpointName; readonly behaviour: Behaviour }
  /** A graceful stop, and a start from what was spooled. */
  | { readonly do: 'restart' }
) &
  Readable;

/** fast-check prints such values as they say. */
interface Readable {
  readonly [fc.toStringMethod]: () => string;
}

const socket = fc.nat(socketCount - 1);
const channel = fc.constantFrom(...channels);
const faults: readonly Behaviour[] = [
  { kind: 'ok' },
  { kind: 'refuse' },
  { kind: 'reset' },
  { kind: 'hang' },
  { kind: 'status', status: 500 },
  { kind: 'status', status: 404 },
  { kind: 'status', status: 429 },
  { kind: 'redirect' },
  { kind: 'huge' },
  { kind: 'slow', ms: 1_000 },
  { kind: 'slow', ms: 60_000 },
  { kind: 'die' },
];

/** Shorter than the grace, nearly the grace, longer. Sums of them keep away from it (`graceMs`). */
export const graceMs = 10_000;
const waits = [4_000, 8_000, 20_000];

export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: onChannel('join', 'joins') },
  { weight: 4, arbitrary: onChannel('leave', 'leaves') },
  { weight: 4, arbitrary: onChannel('flap', 'flaps in') },
  { weight: 3, arbitrary: onSocket('close', 'closes') },
  { weight: 3, arbitrary: onSocket('cut', 'is cut off') },
  { weight: 3, arbitrary: onSocket('reconnect', 'is cut off and reconnects') },
  {
    weight: 7,
    arbitrary: fc
      .constantFrom(...waits)
      .map((ms): Step => readable({ do: 'wait', ms }, `${ms / 1000} s pass`)),
  },
  {
    weight: 5,
    arbitrary: fc
      .tuple(fc.constantFrom(...endpoints), fc.constantFrom(...faults))
      .map(
        ([endpoint, behaviour]): Step =>
          readable({ do: 'fault', endpoint, behaviour }, `endpoint ${endpoint}: ${nameOf(behaviour)}`),
      ),
  },
  {
    weight: 1,
    arbitrary: fc.constant<Step>(readable({ do: 'restart' }, 'the server stops and starts again')),
  },
);

function onChannel(action: 'join' | 'leave' | 'flap', verb: string): fc.Arbitrary<Step> {
  return fc
    .record({ socket, channel })
    .map((at) => readable({ do: action, ...at }, `${whoIs(at.socket)} ${verb} ${at.channel}`));
}

function onSocket(action: 'close' | 'cut' | 'reconnect', verb: string): fc.Arbitrary<Step> {
  return socket.map((at) => readable({ do: action, socket: at }, `${whoIs(at)} ${verb}`));
}

function readable<T extends object>(value: T, text: string): T & Readable {
  return Object.assign(value, { [fc.toStringMethod]: () => text });
}

function whoIs(index: number): string {
  return `socket ${index} (${users[index] ?? 'app 2'})`;
}

function nameOf(behaviour: Behaviour): string {
  if (behaviour.kind === 'status') return `answers ${behaviour.status}`;
  if (behaviour.kind === 'slow') return `takes it, answers after ${behaviour.ms / 1000} s`;
  return behaviour.kind;
}
