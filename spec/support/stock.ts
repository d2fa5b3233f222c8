import type PusherSdk from 'pusher';
import type { Options } from 'pusher-js';
import { type Application, type ApplicationOptions, startApplication } from './application.ts';
import { type ServerProcess, startServerProcess } from './process.ts';
import { type Relay, startRelay } from './relay.ts';
import { testApp } from './server.ts';
import { clientOptions, createSdk, PusherClient, reached } from './stock-clients.ts';

export interface StockOptions extends ApplicationOptions {
  /** Settings of `testApp` that this spec changes. */
  readonly app?: Readonly<Record<string, unknown>>;
  /** Other settings, in the shape of the configuration file. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** The secret the application authorises with, when it is not the app's. */
  readonly applicationSecret?: string;
  /** Clients and publisher reach the server through a relay, so that it can be replaced. */
  readonly throughRelay?: boolean;
}

/** A built server as a process, an application beside it, and the stock clients that were opened on them. */
export class Stock {
  /** Publishes to the server. */
  readonly sdk: PusherSdk;
  readonly application: Application;
  readonly port: number;
  readonly #config: Readonly<Record<string, unknown>>;
  readonly #relay: Relay | undefined;
  readonly #opened = new Set<{ disconnect(): void }>();
  #server: ServerProcess;

  constructor(
    server: ServerProcess,
    { relay, application, config }: { relay: Relay | undefined; application: Application; config: object },
  ) {
    this.#server = server;
    this.#relay = relay;
    this.#config = { ...config };
    this.application = application;
    this.port = relay?.port ?? server.port;
    this.sdk = createSdk({ ...server, port: this.port });
  }

  get server(): ServerProcess {
    return this.#server;
  }

  /** A pusher-js that is connecting. Without a user the application authorises nothing. */
  open(user?: string, options: Partial<Options> = {}): PusherClient {
    const { key } = this.#server;
    return this.opened(
      new PusherClient(key, { ...clientOptions(this.port, this.application.url, user), ...options }),
    );
  }

  /** A pusher-js that is connected. */
  async connect(user?: string, options: Partial<Options> = {}): Promise<PusherClient> {
    const pusher = this.open(user, options);
    await reached(pusher, 'connected');
    return pusher;
  }

  /** Remembers a client, so that it is disconnected at the end. */
  opened<C extends { disconnect(): void }>(client: C): C {
    this.#opened.add(client);
    return client;
  }

  /** Starts a second server, leads new connections to it and stops the first, which sends its clients away with 4200. */
  async replaceServer(): Promise<void> {
    const old = this.#server;
    this.#server = await startServerProcess(this.#config);
    this.#relay?.to(this.#server.port);
    await old.stop();
  }

  /** Ends the clients; the server stays. */
  release(): void {
    for (const client of this.#opened) client.disconnect();
    this.#opened.clear();
  }

  async stop(): Promise<void> {
    this.release();
    await Promise.all([this.application.stop(), this.#relay?.stop(), this.#server.stop()]);
  }
}

export async function startStock(options: StockOptions = {}): Promise<Stock> {
  const config = { ...options.config, apps: [{ ...testApp, ...options.app }] };
  const server = await startServerProcess(config);
  const { applicationSecret: secret = server.secret } = options;
  const application = await startApplication(createSdk({ ...server, secret }), options);
  const relay = options.throughRelay === true ? await startRelay(server.port) : undefined;
  return new Stock(server, { relay, application, config });
}
