import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Attempt, type Credentials, Journal, type ToldEvent } from './journal.ts';

/** How a receiver treats a request. */
export type Behaviour =
  | { readonly kind: 'ok' }
  /** No listener: connections are refused. */
  | { readonly kind: 'refuse' }
  | { readonly kind: 'reset' }
  | { readonly kind: 'hang' }
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** Takes it, and answers with a gigabyte. */
  | { readonly kind: 'huge' }
  /** Takes it, and answers that late. */
  | { readonly kind: 'slow'; readonly ms: number }
  /** Takes it, and dies before the answer is out. */
  | { readonly kind: 'die' }
  /** Sends the caller elsewhere. */
  | { readonly kind: 'redirect' };

export type Judgement = Behaviour | ((attempt: Attempt) => Behaviour);

export const ok: Behaviour = { kind: 'ok' };

/** Refuses with a status whatever holds such an event, and takes the rest. */
export function picky(isRefused: (event: ToldEvent) => boolean, status = 422): Judgement {
  return ({ events }) => (events.some(isRefused) ? { kind: 'status', status } : ok);
}

const path = '/webhooks';
const hugeBytes = 1_000_000_000;

/** A webhook endpoint on a loopback port that keeps a journal and behaves as it is told. Made by `startReceiver`. */
export class Receiver {
  readonly journal: Journal;
  /** Requests that no webhook is: another method, another path, such as those that follow a redirect. */
  readonly strays: string[] = [];
  /** Bytes of gigabyte answers that went out. */
  hugeBytesSent = 0;
  readonly #server: Server;
  #judgement: Judgement = ok;
  #port = 0;

  constructor(app: Credentials) {
    this.journal = new Journal(app);
    this.#server = createServer((request, response) => {
      this.#receive(request, response);
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}${path}`;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** From now on; what hangs goes on hanging unless connections are refused now. */
  async behave(judgement: Judgement): Promise<void> {
    this.#judgement = judgement;
    const refuses = typeof judgement === 'object' && judgement.kind === 'refuse';
    if (refuses) await this.stop();
    else if (!this.#server.listening) await this.listen();
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('error', () => response.destroy());
    response.on('error', () => response.destroy());
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.method !== 'POST' || request.url !== path) {
        this.strays.push(`${request.method} ${request.url}`);
        response.writeHead(404).end();
        return;
      }
      const attempt = this.journal.add(headersOf(request), Buffer.concat(chunks));
      const judgement = this.#judgement;
      this.#answer(attempt, typeof judgement === 'function' ? judgement(attempt) : judgement, response);
    });
  }

  #answer(attempt: Attempt, behaviour: Behaviour, response: ServerResponse): void {
    switch (behaviour.kind) {
      case 'ok':
        this.journal.take(attempt);
        response.writeHead(200).end();
        return;
      case 'refuse':
      case 'reset':
        response.socket?.resetAndDestroy();
        return;
      case 'hang':
        return;
      case 'status':
        if (behaviour.status < 300) this.journal.take(attempt);
        response.writeHead(behaviour.status, behaviour.headers).end();
        return;
      case 'huge':
        this.journal.take(attempt);
        this.#answerHugely(response);
        return;
      case 'slow':
        this.journal.take(attempt);
        setTimeout(() => response.writeHead(200).end(), behaviour.ms).unref();
        return;
      case 'die':
        this.journal.take(attempt);
        response.socket?.resetAndDestroy();
        return;
      case 'redirect':
        response.writeHead(302, { location: '/elsewhere' }).end();
    }
  }

  /** As fast as the caller reads, until all is sent or the caller has gone. */
  #answerHugely(response: ServerResponse): void {
    response.writeHead(200, { 'content-length': hugeBytes });
    const chunk = Buffer.alloc(65_536, 'x');
    let left = hugeBytes;
    const send = (): void => {
      while (left > 0 && !response.destroyed) {
        const bytes = Math.min(left, chunk.length);
        left -= bytes;
        this.hugeBytesSent += bytes;
        if (!response.write(chunk.subarray(0, bytes))) return;
      }
      response.end();
    };
    response.on('drain', send);
    send();
  }
}

/** Starts a receiver on a free port, for the endpoint of that app. */
export async function startReceiver(app: Credentials): Promise<Receiver> {
  const receiver = new Receiver(app);
  await receiver.listen();
  return receiver;
}

function headersOf({ headers }: IncomingMessage): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
  );
}
