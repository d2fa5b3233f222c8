/** The tenant that benchmarks use; `webhooks` is added where a receiver is running. */
export const app = { id: 'bench', key: 'bench-key', secret: 'bench-secret' } as const;

/** A server under test, in a process of its own. */
export interface BenchServer {
  readonly name: ServerName;
  readonly protocol: 'pusher' | 'echo';
  readonly pid: number;
  readonly port: number;
  readonly adminPort: number | undefined;
  /** Channels of the app with that prefix, by the HTTP API; undefined for a bare server, which knows none. */
  channels(prefix: string): Promise<number> | undefined;
  /** Processor time of all its threads. */
  cpuMs(): number;
  /** What of it was spent outside the kernel, to 10 ms. */
  userMs(): number;
  /** Sends a word to what was loaded into the process (bench/load/probe.js). */
  tell(word: string): void;
  /** Sends a word and waits for what comes back. */
  told(word: string): Promise<unknown>;
  stop(): Promise<void>;
}

/**
 * - `spillway`: as built, with its defaults;
 * - `guarded`: the same with every limit set, and a stage of a user on the way of each message and each event;
 * - `naive`: the same with every optimisation off;
 * - `ws`: a plain `ws` server that stringifies per recipient;
 * - `raw`: a loop of `send` in C on the same sockets;
 * - `soketi`: the published package with its native part;
 * - `echo`: a plain `ws` server that sends back what it is sent.
 */
export type ServerName = 'spillway' | 'guarded' | 'naive' | 'ws' | 'raw' | 'soketi' | 'echo';

export interface ServerOptions {
  readonly webhookPort?: number;
  readonly webhookEvents?: readonly string[];
  /** After how long silence a peer is dropped, twice: to the ping, and to the end. Undefined: each server's default. */
  readonly silenceMs?: number;
  /** Settings of Spillway in the shape of its configuration file. */
  readonly config?: Readonly<Record<string, object>>;
  /** Further apps, in the shape of Spillway's configuration. */
  readonly apps?: readonly object[];
  /** Options of Node for the process. */
  readonly nodeOptions?: readonly string[];
}

export const lifecycleWebhooks = ['channel_occupied', 'channel_vacated'];
