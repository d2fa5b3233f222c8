import PusherSdk from 'pusher';
import type { Channel, Options } from 'pusher-js';
import pusherJs from 'pusher-js';

/** The types of pusher-js say `export default`; what its Node build exports is the class itself. */
export const PusherClient = pusherJs as unknown as typeof pusherJs.default;
export type PusherClient = pusherJs.default;

interface ClientSocket {
  readonly readyState: number;
  close(): void;
}

/**
 * After a close that stops it for good, pusher-js closes its socket once more, which makes the Node build wait 30 s for
 * an answer that cannot come. Such a close is left out, so that no timer outlives the specs.
 */
const runtime = PusherClient.Runtime as unknown as { createWebSocket(url: string): ClientSocket };
const createWebSocket = runtime.createWebSocket.bind(runtime);
runtime.createWebSocket = (url) => {
  const socket = createWebSocket(url);
  const close = socket.close.bind(socket);
  const closed = 3;
  socket.close = () => {
    if (socket.readyState !== closed) close();
  };
  return socket;
};

/** What every emitter of pusher-js can do: connections, channels, users, watchlists. */
interface Emitter {
  bind_global(callback: (event: string, data: unknown) => void): unknown;
}

interface Said {
  readonly event: string;
  readonly data: unknown;
}

/** What an emitter said since it was listened to: nothing is missed between two awaits. */
export class Heard {
  readonly #said: Said[] = [];
  readonly #events: string[] = [];
  #wake: (() => void)[] = [];

  constructor(emitter: Emitter) {
    emitter.bind_global((event, data) => {
      this.#said.push({ event, data });
      this.#events.push(event);
      const waiting = this.#wake;
      this.#wake = [];
      for (const wake of waiting) wake();
    });
  }

  /** The names of everything said, in order. */
  get events(): readonly string[] {
    return this.#events;
  }

  /** The data of the next event of that name, which is taken; others stay for those who ask for them. */
  async next(event: string): Promise<unknown> {
    for (;;) {
      const at = this.#said.findIndex((said) => said.event === event);
      if (at !== -1) return this.#said.splice(at, 1)[0]?.data;
      await new Promise<void>((resolve) => {
        this.#wake.push(resolve);
      });
    }
  }
}

/** A channel of pusher-js, listened to from the start. */
export class Followed<C extends Channel = Channel> extends Heard {
  readonly channel: C;

  constructor(channel: C) {
    super(channel);
    this.channel = channel;
  }
}

export function follow(pusher: PusherClient, name: string): Followed {
  return new Followed(pusher.subscribe(name));
}

/** Subscribes and waits for the success. */
export async function subscribe(pusher: PusherClient, name: string): Promise<Followed> {
  const followed = follow(pusher, name);
  await followed.next('pusher:subscription_succeeded');
  return followed;
}

/** What a presence channel has besides. */
interface Presence {
  readonly members: { readonly count: number; readonly me: unknown; readonly members: unknown };
}

/** Subscribes to a presence channel and waits for its members. */
export async function join(pusher: PusherClient, name: string): Promise<Followed<Channel & Presence>> {
  const followed = new Followed(pusher.subscribe(name) as Channel & Presence);
  await followed.next('pusher:subscription_succeeded');
  return followed;
}

/** Waits until the connection is in that state, which it may be in already. */
export function reached(pusher: PusherClient, state: string): Promise<void> {
  if (pusher.connection.state === state) return Promise.resolve();
  return new Promise((resolve) => {
    const check = ({ current }: { readonly current: string }): void => {
      if (current !== state) return;
      pusher.connection.unbind('state_change', check);
      resolve();
    };
    pusher.connection.bind('state_change', check);
  });
}

/** Waits until the client is subscribed to the channel of its signed-in user, after it signs in or reconnects. */
export function userReady(pusher: PusherClient): Promise<void> {
  return new Promise((resolve) => {
    const check = ({ event, channel }: { readonly event: string; readonly channel?: string }): void => {
      if (event !== 'pusher_internal:subscription_succeeded') return;
      if (channel?.startsWith('#server-to-user-') !== true) return;
      pusher.connection.unbind('message', check);
      resolve();
    };
    pusher.connection.bind('message', check);
  });
}

/** Signs in and waits until what is sent to the user arrives. */
export async function signIn(pusher: PusherClient): Promise<void> {
  const ready = userReady(pusher);
  pusher.signin();
  await ready;
}

/** The next event of that name with what came beside its data: on presence channels who sent it. */
export function nextWithSender(
  channel: Channel,
  event: string,
): Promise<{ readonly data: unknown; readonly sender: string | undefined }> {
  return new Promise((resolve) => {
    const take = (data: unknown, metadata: { readonly user_id?: string }): void => {
      channel.unbind(event, take);
      resolve({ data, sender: metadata.user_id });
    };
    channel.bind(event, take);
  });
}

/** Where a server on loopback is. */
export function transportOptions(
  port: number,
): Pick<Required<Options>, 'cluster' | 'wsHost' | 'wsPort' | 'forceTLS' | 'enabledTransports'> {
  return {
    cluster: '',
    wsHost: '127.0.0.1',
    wsPort: port,
    forceTLS: false,
    enabledTransports: ['ws', 'wss'],
  };
}

/** The options of a client that talks to a server on loopback, and of its user when it has one. */
export function clientOptions(port: number, applicationUrl: string, user: string | undefined): Options {
  const headers = user === undefined ? {} : { Authorization: `Bearer ${user}` };
  return {
    ...transportOptions(port),
    channelAuthorization: { transport: 'ajax', endpoint: `${applicationUrl}/broadcasting/auth`, headers },
    userAuthentication: { transport: 'ajax', endpoint: `${applicationUrl}/broadcasting/user-auth`, headers },
  };
}

export interface SdkTarget {
  readonly port: number;
  readonly appId: string;
  readonly key: string;
  readonly secret: string;
}

/** The server SDK, set up as an application would. */
export function createSdk({ port, appId, key, secret }: SdkTarget): PusherSdk {
  return new PusherSdk({
    appId,
    key,
    secret,
    host: '127.0.0.1',
    port: String(port),
    useTLS: false,
    encryptionMasterKeyBase64: Buffer.from('01234567890123456789012345678901').toString('base64'),
  });
}
