import type { IncomingMessage, ServerResponse } from 'node:http';
import type { App } from '../apps/app.ts';
import type { AppRegistry } from '../apps/app-registry.ts';
import { SpillwayError, toSpillwayError } from '../errors/spillway-error.ts';
import type { Clock } from '../flow/clock.ts';
import { isPromise } from '../flow/maybe-promise.ts';
import { parseQuery, verifyHttpSignature } from '../protocol/http-signature.ts';
import { healthPaths, liveAnswer, type Readiness, readyAnswer } from '../telemetry/health.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { ApiServices } from './api-request.ts';
import { answerError, answerJson } from './http-answer.ts';
import { readBody } from './read-body.ts';
import { findRoute, publishRoutes, type Route } from './routes.ts';

export interface ApiOptions {
  /** Prefix of every path, stripped before routing and signing. */
  readonly pathPrefix: string;
  readonly maxBodyBytes: number;
  /** Off: each request is routed and answered the general way (`server.fastPaths`). */
  readonly fastPaths: boolean;
  readonly apps: AppRegistry;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly readiness: () => Readiness;
  readonly services: ApiServices;
}

interface Target {
  readonly rawPath: string;
  readonly rawQuery: string;
}

/** The HTTP side of the public listener: health, and the HTTP API (protocol.md 7). */
export class Api {
  readonly #options: ApiOptions;
  readonly #publishRoutes: ReadonlyMap<string, Route>;

  constructor(options: ApiOptions) {
    this.#options = options;
    const appIds = options.fastPaths ? Array.from(options.apps.all(), ({ id }) => id) : [];
    this.#publishRoutes = publishRoutes(appIds);
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    const startedMs = performance.now();
    const target = this.#targetOf(request.url ?? '/');
    const method = request.method ?? 'GET';
    try {
      const usual = method === 'POST' ? this.#publishRoutes.get(target.rawPath) : undefined;
      if (usual === undefined && this.#answerHealth(target.rawPath, response)) return;
      const route = usual ?? findRoute(method, target.rawPath);
      const app = this.#appOf(route);
      readBody(request, this.#options.maxBodyBytes, (body) => {
        this.#guard(request, response, startedMs, () => {
          if (body instanceof SpillwayError) throw body;
          this.#serve(route, app, method, target, body, response);
        });
      });
    } catch (error) {
      this.#refuse(error, request, response);
    }
  }

  #serve(
    { names, endpoint }: Route,
    app: App,
    method: string,
    { rawPath, rawQuery }: Target,
    body: Buffer,
    response: ServerResponse,
  ): void {
    const nowSeconds = this.#options.clock.now() / 1000;
    const query = verifyHttpSignature(
      { method, rawPath, rawQuery, query: parseQuery(rawQuery), body },
      (key) => app.signingKeys.get(key),
      nowSeconds,
    );
    if (!app.config.enabled) throw new SpillwayError('http.app-disabled', { appId: app.id });
    const respond = (status: number, text: string): void => answerJson(response, status, text);
    const answer = endpoint({ app, names, query, body, respond }, this.#options.services);
    if (!isPromise(answer)) {
      if (answer !== undefined) respond(200, JSON.stringify(answer));
      return;
    }
    answer.then(
      (object) => respond(200, JSON.stringify(object)),
      (error: unknown) => this.#refuse(error, response.req, response),
    );
  }

  #guard(request: IncomingMessage, response: ServerResponse, startedMs: number, work: () => void): void {
    const { telemetry } = this.#options;
    try {
      work();
    } catch (error) {
      this.#refuse(error, request, response);
    }
    if (!telemetry.isEnabled('http.answered')) return;
    const { rawPath: path } = this.#targetOf(request.url ?? '/');
    const durationMs = performance.now() - startedMs;
    telemetry.emit('http.answered', {
      method: request.method ?? '',
      path,
      status: response.statusCode,
      durationMs,
    });
  }

  #refuse(thrown: unknown, request: IncomingMessage, response: ServerResponse): void {
    const error = toSpillwayError(thrown);
    const { rawPath: path } = this.#targetOf(request.url ?? '/');
    answerError(response, error);
    this.#options.telemetry.emit('http.refused', {
      path: path.slice(0, 200),
      status: error.entry.status,
      code: error.code,
      appId: undefined,
    });
  }

  #appOf({ appId }: Route): App {
    const app = this.#options.apps.byId(appId);
    if (app === undefined) throw new SpillwayError('http.unknown-app', { appId });
    return app;
  }

  #answerHealth(path: string, response: ServerResponse): boolean {
    const isLive = (healthPaths.live as readonly string[]).includes(path);
    if (!isLive && !(healthPaths.ready as readonly string[]).includes(path)) return false;
    const { status, body } = isLive ? liveAnswer() : readyAnswer(this.#options.readiness());
    answerJson(response, status, JSON.stringify(body));
    return true;
  }

  /** The request target as it came: never normalised, because its exact text was signed (protocol.md 7.2). */
  #targetOf(url: string): Target {
    const { pathPrefix } = this.#options;
    const mark = url.indexOf('?');
    const path = mark === -1 ? url : url.slice(0, mark);
    const isBelowPrefix = pathPrefix !== '' && path.startsWith(`${pathPrefix}/`);
    return {
      rawPath: isBelowPrefix ? path.slice(pathPrefix.length) : path,
      rawQuery: mark === -1 ? '' : url.slice(mark + 1),
    };
  }
}
