import { isPromise, type MaybePromise } from '../../flow/maybe-promise.ts';
import { pong } from '../../protocol/server-messages.ts';
import { defineStage } from '../define-stage.ts';
import type { AuthorizedMessage } from '../events.ts';
import { DROP, type Drop } from '../stage.ts';
import { sendClientEvent } from './send-client-event.ts';
import { signIn } from './sign-in.ts';
import { subscribe } from './subscribe.ts';

/**
 * Does what the message asks for, and answers. A promise from a store makes this connection's next frames wait. A
 * connection that closed while a stage in the slot took its time asks for nothing any more.
 */
export const perform = defineStage({
  name: 'perform',
  needs: [
    'bus',
    'cachedEvents',
    'clock',
    'departures',
    'endpoints',
    'fanout',
    'membership',
    'outbox',
    'signedIn',
    'subscriptions',
    'telemetry',
    'users',
    'watchlists',
    'welcomes',
  ],
  map: (message: AuthorizedMessage, services): MaybePromise<AuthorizedMessage | Drop> => {
    if (message.connection.closing) return DROP;
    switch (message.kind) {
      case 'subscribe':
        return once(subscribe(message, services), message);
      case 'unsubscribe':
        services.departures.next(message);
        return message;
      case 'signin':
        return once(signIn(message, services), message);
      case 'client-event':
        return once(sendClientEvent(message, services), message);
      case 'ping':
        services.fanout.reply(message.connection, pong());
        return message;
      case 'pong':
        return message;
    }
  },
});

/** The message, once it is done. What has to wait is apart: a function in reach of `message` would be made for each one. */
function once(done: MaybePromise<unknown>, message: AuthorizedMessage): MaybePromise<AuthorizedMessage> {
  return isPromise(done) ? onceSettled(done, message) : message;
}

function onceSettled(done: PromiseLike<unknown>, message: AuthorizedMessage): PromiseLike<AuthorizedMessage> {
  return done.then(() => message);
}
