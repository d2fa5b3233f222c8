import { createHash, createHmac } from 'node:crypto';
import { Agent, request } from 'node:http';

export interface ApiTarget {
  readonly port: number;
  readonly appId: string;
  readonly key: string;
  readonly secret: string;
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body parsed; undefined when it is no JSON. */
  readonly json: unknown;
}

export interface RequestOptions {
  readonly query?: Readonly<Record<string, string>>;
  /** A string or buffer is sent as it is, anything else as JSON. */
  readonly body?: unknown;
  /** Replaces signing parameters; undefined leaves one out. */
  readonly sign?: Readonly<Record<string, string | undefined>>;
  /** Added to the query after signing. */
  readonly extraQuery?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timestamp?: number;
}

/** A caller of the HTTP API that signs as the libraries do, and can be told to do it wrong. */
export class TestApi {
  readonly #target: ApiTarget;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(target: ApiTarget) {
    this.#target = target;
  }

  post(path: string, body: unknown, options: RequestOptions = {}): Promise<ApiAnswer> {
    return this.call('POST', `/apps/${this.#target.appId}${path}`, { ...options, body });
  }

  get(
    path: string,
    query: Readonly<Record<string, string>> = {},
    options: RequestOptions = {},
  ): Promise<ApiAnswer> {
    return this.call('GET', `/apps/${this.#target.appId}${path}`, { ...options, query });
  }

  trigger(
    channels: string | readonly string[],
    name: string,
    data: unknown,
    extra: object = {},
  ): Promise<ApiAnswer> {
    const list = typeof channels === 'string' ? [channels] : channels;
    const text = typeof data === 'string' ? data : JSON.stringify(data);
    return this.post('/events', { name, channels: list, data: text, ...extra });
  }

  /** A request to a path as it stands, signed over exactly that path. */
  call(method: string, path: string, options: RequestOptions = {}): Promise<ApiAnswer> {
    const body = bodyOf(options.body);
    const query: Record<string, string | undefined> = {
      ...options.query,
      auth_key: this.#target.key,
      auth_timestamp: String(options.timestamp ?? Math.floor(Date.now() / 1000)),
      auth_version: '1.0',
      ...(body.length > 0 ? { body_md5: createHash('md5').update(body).digest('hex') } : {}),
      ...options.sign,
    };
    const pairs = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
    const toSign = pairs.map(([key, value]) => `${key.toLowerCase()}=${value}`).sort();
    const text = `${method}\n${path}\n${toSign.join('&')}`;
    const signature = createHmac('sha256', this.#target.secret).update(text).digest('hex');
    const isSigned = options.sign !== undefined && 'auth_signature' in options.sign;
    const sent = pairs.map(([key, value]) => `${key}=${encodeURIComponent(value)}`);
    if (!isSigned) sent.push(`auth_signature=${signature}`);
    if (options.extraQuery !== undefined) sent.push(options.extraQuery);
    return this.raw(method, `${path}?${sent.join('&')}`, body, options.headers);
  }

  /** A request without any signing. */
  raw(
    method: string,
    path: string,
    body?: Buffer,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<ApiAnswer> {
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          host: '127.0.0.1',
          port: this.#target.port,
          method,
          path,
          agent: this.#agent,
          headers: { ...headers },
        },
        (incoming) => {
          const chunks: Buffer[] = [];
          incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
          incoming.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            resolve({
              status: incoming.statusCode ?? 0,
              headers: incoming.headers,
              text,
              json: parsed(text),
            });
          });
        },
      );
      outgoing.on('error', reject);
      if (body !== undefined && body.length > 0) {
        if (headers['Content-Type'] === undefined) outgoing.setHeader('Content-Type', 'application/json');
        outgoing.setHeader('Content-Length', body.length);
        outgoing.write(body);
      }
      outgoing.end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function bodyOf(body: unknown): Buffer {
  if (body === undefined) return Buffer.alloc(0);
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
