import type { Subject } from 'rxjs';
import type { App } from '../apps/app.ts';
import type { MaybePromise } from '../flow/maybe-promise.ts';
import type { ParsedQuery } from '../protocol/http-signature.ts';
import type { PublishReceived } from '../stages/events.ts';
import type { Services } from '../stages/services.ts';

/** A request of the HTTP API whose signature held. */
export interface ApiRequest {
  readonly app: App;
  /** The parts of the path that name something, decoded: a channel, a user. */
  readonly names: readonly string[];
  readonly query: ParsedQuery;
  readonly body: Buffer;
  readonly respond: (status: number, body: string) => void;
}

export type ApiServices = Pick<Services, 'bus' | 'cachedEvents' | 'membership' | 'outbox'> & {
  /** Publishes on their way to the publish pipeline. */
  readonly publishes: Pick<Subject<PublishReceived>, 'next'>;
};

/** One endpoint. It answers the JSON object of a 200, or undefined when the answer comes by `respond`. */
export type Endpoint = (request: ApiRequest, services: ApiServices) => MaybePromise<object | undefined>;
