import type { LookupFunction } from 'node:net';
import { Agent, type Dispatcher } from 'undici';
import type { Config } from '../../config/schema.ts';
import { failureReason } from './failure-reason.ts';
import type { PostResult, PostWebhook } from './post.ts';
import { publicLookup, refusePrivateHost } from './private-networks.ts';

export interface PostOptions extends Pick<Config['webhooks'], 'timeoutMs' | 'allowPrivateNetworks'> {
  readonly userAgent: string;
  /** How names are looked up; default: as the system does. */
  readonly lookup?: LookupFunction;
}

export interface Post {
  readonly post: PostWebhook;
  /** Ends every connection; what is under way fails. */
  close(): Promise<void>;
}

/** The answer's body interests nobody. A short one is read so that the connection can be used again. */
const maxBodyBytes = 65_536;
const maxBodyMs = 1_000;
const maxRetryAfterMs = 60_000;

/**
 * Posts over the network. A request, connecting included, takes `timeoutMs` at most; its result is the status, whatever
 * the rest of the answer does. Redirects are answers like others, nothing is repeated, and no proxy is asked. Connections
 * have no limit of their own: endpoints of several apps may be at one host, and whose slots are full must not make the
 * others wait.
 */
export function createPost(options: PostOptions): Post {
  const { timeoutMs, allowPrivateNetworks, userAgent, lookup } = options;
  const lookUp = allowPrivateNetworks ? lookup : publicLookup(lookup);
  const agent = new Agent({
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: timeoutMs, ...(lookUp === undefined ? {} : { lookup: lookUp }) },
  });
  return {
    post: async ({ url }, headers, body) => {
      const request = new TimedRequest(timeoutMs);
      try {
        if (!allowPrivateNetworks) refusePrivateHost(url);
        return await request.send(agent, {
          origin: url.origin,
          path: `${url.pathname}${url.search}`,
          method: 'POST',
          headers: { ...headers, 'user-agent': userAgent },
          body,
        });
      } catch (error) {
        return { kind: 'failed', reason: failureReason(error) };
      } finally {
        request.end();
      }
    },
    close: () => agent.destroy(),
  };
}

/** One request and the time it has. */
class TimedRequest {
  readonly #abort = new AbortController();
  readonly #isOver: Promise<PostResult>;
  #timer: NodeJS.Timeout | undefined;
  #answer: PostResult | undefined;

  constructor(timeoutMs: number) {
    this.#isOver = new Promise((resolve) => {
      this.#timer = setTimeout(() => {
        resolve(this.#answer ?? { kind: 'failed', reason: `no answer within ${timeoutMs} ms` });
        this.#abort.abort();
      }, timeoutMs);
    });
  }

  /** undici hears of an abort only once it is connected, so the time is kept beside it. */
  send(agent: Agent, options: Dispatcher.RequestOptions): Promise<PostResult> {
    return Promise.race([this.#isOver, this.#exchange(agent, options)]);
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  async #exchange(agent: Agent, options: Dispatcher.RequestOptions): Promise<PostResult> {
    const { statusCode, headers, body } = await agent.request({ ...options, signal: this.#abort.signal });
    const answer = answered(statusCode, headers['retry-after']);
    this.#answer = answer;
    const patience = setTimeout(() => body.destroy(), maxBodyMs);
    await body.dump({ limit: maxBodyBytes });
    clearTimeout(patience);
    return answer;
  }
}

function answered(status: number, header: string | readonly string[] | undefined): PostResult {
  const retryAfterMs = typeof header === 'string' ? retryAfterMsOf(header) : undefined;
  return { kind: 'answered', status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

/** `Retry-After` is a number of seconds or a date. */
function retryAfterMsOf(header: string): number | undefined {
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), maxRetryAfterMs);
}
