import type { PostResult, PostWebhook } from '../../lib/webhooks/post.ts';
import { type Attempt, type Credentials, Journal } from '../support/journal.ts';
import { type Behaviour, type Judgement, ok } from '../support/receiver.ts';

/** How long a request is on its way, there and back. */
const travelMs = 5;

/** The receiver of spec/support/receiver.ts without a network: what it is posted comes at once, in virtual time. */
export class VirtualReceiver {
  readonly journal: Journal;
  readonly #timeoutMs: number;
  #judgement: Judgement = ok;

  /** @param timeoutMs After which the sender gives up. */
  constructor(app: Credentials, timeoutMs: number) {
    this.journal = new Journal(app);
    this.#timeoutMs = timeoutMs;
  }

  behave(judgement: Judgement): void {
    this.#judgement = judgement;
  }

  async post(headers: Readonly<Record<string, string>>, body: Buffer): Promise<PostResult> {
    await pause(travelMs);
    const judgement = this.#judgement;
    if (typeof judgement === 'object' && judgement.kind === 'refuse') return failed('connection refused');
    const attempt = this.journal.add(headers, Buffer.from(body));
    return this.#answer(attempt, typeof judgement === 'function' ? judgement(attempt) : judgement);
  }

  async #answer(attempt: Attempt, behaviour: Behaviour): Promise<PostResult> {
    if (isTaking(behaviour)) this.journal.take(attempt);
    switch (behaviour.kind) {
      case 'ok':
      case 'huge':
        return { kind: 'answered', status: 200 };
      case 'status':
        return { kind: 'answered', status: behaviour.status };
      case 'redirect':
        return { kind: 'answered', status: 302 };
      case 'refuse':
      case 'reset':
      case 'die':
        return failed('connection reset');
      case 'hang':
        await pause(this.#timeoutMs);
        return failed(`no answer within ${this.#timeoutMs} ms`);
      case 'slow':
        await pause(Math.min(behaviour.ms, this.#timeoutMs));
        return behaviour.ms < this.#timeoutMs ? { kind: 'answered', status: 200 } : failed('too slow');
    }
  }
}

/** Posts to the receiver whose URL it is. */
export function postTo(receivers: ReadonlyMap<string, VirtualReceiver>): PostWebhook {
  return ({ url }, headers, body) => {
    const receiver = receivers.get(url.href);
    if (receiver === undefined) throw new Error(`nobody listens at ${url.href}`);
    return receiver.post(headers, body);
  };
}

function isTaking(behaviour: Behaviour): boolean {
  if (behaviour.kind === 'status') return behaviour.status < 300;
  return ['ok', 'huge', 'slow', 'die'].includes(behaviour.kind);
}

function failed(reason: string): PostResult {
  return { kind: 'failed', reason };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
