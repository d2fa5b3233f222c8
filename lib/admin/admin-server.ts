import type { AddressInfo } from 'node:net';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { ErrorCode } from '../errors/catalogue.ts';
import { SpillwayError } from '../errors/spillway-error.ts';
import { accessProblem } from './access.ts';
import {
  type HealthAnswer,
  healthPaths,
  liveAnswer,
  type Readiness,
  readyAnswer,
} from '../telemetry/health.ts';

export interface AdminServerOptions {
  readonly config: { readonly host: string; readonly port: number; readonly token?: string | undefined };
  readonly readiness: () => Readiness;
  readonly metrics: () => Promise<string>;
  readonly contentType: string;
  /** Told what went wrong when an answer could not be made; the caller only sees `internal`. */
  readonly onError?: (path: string, error: unknown) => void;
}

export interface AdminServer {
  /** The port it listens on, also when 0 was asked for. */
  readonly port: number;
  close(): Promise<void>;
}

/** Starts the listener for operators: health without a token, metrics with one (or from this machine). */
export async function startAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const server = fastify({
    logger: false,
    forceCloseConnections: true,
    requestTimeout: 10_000,
    bodyLimit: 65_536,
    frameworkErrors: (_error, request, reply) => {
      void notFound(request, reply);
    },
  });
  server.setNotFoundHandler(notFound);
  server.setErrorHandler((error, request, reply) => {
    options.onError?.(pathOf(request), error);
    return answerError(reply, 'internal');
  });
  addHealth(server, options);
  addMetrics(server, options);
  const { host, port } = options.config;
  await server.listen({ host, port });
  return { port: (server.server.address() as AddressInfo).port, close: () => server.close() };
}

function addHealth(server: FastifyInstance, { readiness }: AdminServerOptions): void {
  const serve = (paths: readonly string[], answer: () => HealthAnswer): void => {
    for (const path of paths) {
      server.get(path, (_request, reply) => {
        const { status, body } = answer();
        return reply.code(status).header('cache-control', 'no-store').send(body);
      });
    }
  };
  serve(healthPaths.live, liveAnswer);
  serve(healthPaths.ready, () => readyAnswer(readiness()));
}

function addMetrics(server: FastifyInstance, { config, metrics, contentType }: AdminServerOptions): void {
  const onRequest = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const problem = accessProblem(config.token, {
      remoteAddress: request.socket.remoteAddress,
      authorization: request.headers.authorization,
    });
    if (problem === undefined) return;
    if (problem === 'admin.token') reply.header('www-authenticate', 'Bearer');
    await answerError(reply, problem);
  };
  server.get('/metrics', { onRequest }, async (_request, reply) =>
    reply.type(contentType).send(await metrics()),
  );
}

function notFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return answerError(reply, 'http.not-found', { path: pathOf(request) });
}

/** Without the query, which may hold a secret. */
function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? '';
}

function answerError(
  reply: FastifyReply,
  code: ErrorCode,
  details: Record<string, string> = {},
): FastifyReply {
  const error = new SpillwayError(code, details);
  return reply.code(error.entry.status).send({ error: error.message, code });
}
