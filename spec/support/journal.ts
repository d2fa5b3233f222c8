import Pusher from 'pusher';
import { Webhook } from 'standardwebhooks';

/** One event as it stands in a webhook body. */
export interface ToldEvent {
  readonly name: string;
  readonly channel: string;
  readonly id: string;
  readonly seq?: number;
  readonly prev_seq?: number;
  readonly epoch?: string;
  readonly cause?: string;
  readonly user_id?: string;
  /** Of `spillway_coalesced`. */
  readonly to_seq?: number;
  readonly count?: number;
  readonly [field: string]: unknown;
}

/** One request that came. */
export interface Attempt {
  readonly atMs: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly webhookId: string;
  readonly events: readonly ToldEvent[];
  /** What the judges said against it: signatures, headers, form. */
  readonly objections: readonly string[];
}

export interface Credentials {
  readonly id: string;
  readonly key: string;
  readonly secret: string;
  /** Standard Webhooks secret; default: made from the app's. */
  readonly signingSecret?: string;
}

/**
 * What an endpoint saw: every request, in order, and which of them it took. Both signatures are judged as a request
 * comes, because one of them holds for five minutes only.
 */
export class Journal {
  readonly app: Credentials;
  readonly attempts: Attempt[] = [];
  /** Those that the endpoint took for good, in that order, whether or not its answer arrived. */
  readonly taken: Attempt[] = [];
  readonly #pusher: Pusher;
  readonly #standard: Webhook;
  readonly #ids = new Set<string>();
  readonly #waiting = new Set<{ readonly isDone: () => boolean; readonly done: () => void }>();

  constructor(app: Credentials) {
    this.app = app;
    this.#pusher = new Pusher({ appId: app.id, key: app.key, secret: app.secret, host: '127.0.0.1' });
    this.#standard = new Webhook(app.signingSecret ?? `whsec_${Buffer.from(app.secret).toString('base64')}`);
  }

  add(headers: Readonly<Record<string, string>>, body: Buffer): Attempt {
    const objections = this.#objectionsTo(headers, body);
    const attempt: Attempt = {
      atMs: Date.now(),
      headers,
      body,
      webhookId: headers['webhook-id'] ?? '',
      events: eventsIn(body),
      objections,
    };
    this.attempts.push(attempt);
    this.#look();
    return attempt;
  }

  take(attempt: Attempt): void {
    this.taken.push(attempt);
    for (const { id } of attempt.events) this.#ids.add(id);
    this.#look();
  }

  /** Different events that were taken. */
  get eventCount(): number {
    return this.#ids.size;
  }

  /** The events that were taken, each once, in the order in which it first was. */
  get events(): readonly ToldEvent[] {
    return firstOfEach(this.taken);
  }

  /** Those of one channel, or of all, as `name` or `name user`. */
  told(channel?: string): readonly string[] {
    return this.events
      .filter((event) => channel === undefined || event.channel === channel)
      .map(({ name, user_id: user }) => (user === undefined ? name : `${name} ${user}`));
  }

  /** Waits until it is so; looked at whenever something came or was taken. */
  until(isDone: (journal: this) => boolean): Promise<void> {
    if (isDone(this)) return Promise.resolve();
    return new Promise((done) => {
      this.#waiting.add({ isDone: () => isDone(this), done });
    });
  }

  #look(): void {
    for (const waiting of this.#waiting) {
      if (!waiting.isDone()) continue;
      this.#waiting.delete(waiting);
      waiting.done();
    }
  }

  #objectionsTo(headers: Readonly<Record<string, string>>, body: Buffer): readonly string[] {
    const rawBody = body.toString();
    const webhook = this.#pusher.webhook({ headers, rawBody });
    const isPusherValid = webhook.isValid();
    return [
      ...(isPusherValid ? [] : ['the Pusher SDK calls it invalid']),
      ...(this.#isStandard(headers, rawBody) ? [] : ['Standard Webhooks calls it invalid']),
      ...(Number(headers['content-length']) === body.length ? [] : ['its content-length is wrong']),
    ];
  }

  #isStandard(headers: Readonly<Record<string, string>>, body: string): boolean {
    try {
      this.#standard.verify(body, headers);
      return true;
    } catch (error) {
      if (error instanceof Error) return false;
      throw error;
    }
  }
}

/** Each event once, where it first stands. */
export function firstOfEach(attempts: readonly Attempt[]): readonly ToldEvent[] {
  const byId = new Map<string, ToldEvent>();
  for (const event of attempts.flatMap(({ events }) => events)) {
    if (!byId.has(event.id)) byId.set(event.id, event);
  }
  return [...byId.values()];
}

function eventsIn(body: Buffer): readonly ToldEvent[] {
  try {
    const { events } = JSON.parse(body.toString()) as { readonly events?: readonly ToldEvent[] };
    return events ?? [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}
