import type { AddressInfo } from 'node:net';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { SpillwayError, toSpillwayError } from '../errors/spillway-error.ts';
import { andThen, type MaybePromise } from '../flow/maybe-promise.ts';
import { accessProblem } from './access.ts';
import {
  type HealthAnswer,
  healthPaths,
  liveAnswer,
  type Readiness,
  readyAnswer,
} from '../telemetry/health.ts';
import type { WebhookOperations } from './webhook-operations.ts';
import { addWebhooks } from './webhook-routes.ts';

export interface AdminServerOptions {
  readonly config: { readonly host: string; readonly port: number; readonly token?: string | undefined };
  readonly readiness: () => MaybePromise<Readiness>;
  readonly metrics: () => Promise<string>;
  readonly contentType: string;
  readonly webhooks: WebhookOperations;
  /** Told what went wrong when an answer could not be made; the caller only sees `internal`. */
  readonly onError?: (path: string, error: unknown) => void;
}

/** Where operators are answered. */
export interface AdminDoor {
  /** None: it has no listener of its own. */
  readonly port: number | undefined;
  close(): Promise<void>;
}

export interface AdminServer extends AdminDoor {
  /** The port it listens on, also when 0 was asked for. */
  readonly port: number;
}

const bodyLimitBytes = 65_536;

/**
 * Starts the listener for operators: health without a token; metrics and webhooks with one, or without one set from this
 * machine, and then nothing can be changed.
 */
export async function startAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const server = fastify({
    logger: false,
    forceCloseConnections: true,
    requestTimeout: 10_000,
    bodyLimit: bodyLimitBytes,
    frameworkErrors: (_error, request, reply) => {
      void notFound(request, reply);
    },
  });
  server.setNotFoundHandler(notFound);
  server.setErrorHandler((error, request, reply) => {
    const answer = answerFor(error);
    if (answer.code === 'internal') options.onError?.(pathOf(request), error);
    return answerError(reply, answer);
  });
  addHealth(server, options);
  await server.register((guarded, _options, done) => {
    guarded.addHook('onRequest', guard(options));
    addMetrics(guarded, options);
    addWebhooks(guarded, options.webhooks, options.config.token === undefined);
    done();
  });
  const { host, port } = options.config;
  await server.listen({ host, port });
  return { port: (server.server.address() as AddressInfo).port, close: () => server.close() };
}

function addHealth(server: FastifyInstance, { readiness }: AdminServerOptions): void {
  const serve = (paths: readonly string[], answer: () => MaybePromise<HealthAnswer>): void => {
    for (const path of paths) {
      server.get(path, async (_request, reply) => {
        const { status, body } = await answer();
        return reply.code(status).header('cache-control', 'no-store').send(body);
      });
    }
  };
  serve(healthPaths.live, liveAnswer);
  serve(healthPaths.ready, () => andThen(readiness(), readyAnswer));
}

function addMetrics(server: FastifyInstance, { metrics, contentType }: AdminServerOptions): void {
  server.get('/metrics', async (_request, reply) => reply.type(contentType).send(await metrics()));
}

function guard({ config }: AdminServerOptions) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const problem = accessProblem(config.token, {
      remoteAddress: request.socket.remoteAddress,
      authorization: request.headers.authorization,
      host: request.headers.host,
    });
    if (problem === undefined) return;
    if (problem === 'admin.token') reply.header('www-authenticate', 'Bearer');
    await answerError(reply, new SpillwayError(problem));
  };
}

function notFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return answerError(reply, new SpillwayError('http.not-found', { path: pathOf(request) }));
}

/** Without the query, which may hold a secret. */
function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? '';
}

/** What the framework itself refuses is the caller's mistake too. */
function answerFor(error: unknown): SpillwayError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new SpillwayError('http.body-too-large', { limitBytes: bodyLimitBytes });
  return toSpillwayError(error);
}

function answerError(reply: FastifyReply, error: SpillwayError): FastifyReply {
  return reply.code(error.entry.status).send({ error: error.message, code: error.code });
}
