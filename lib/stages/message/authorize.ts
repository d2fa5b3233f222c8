import { defineStage } from '../define-stage.ts';
import type { AuthorizedMessage, MessageDecoded } from '../events.ts';
import { authorizeClientEvent } from './authorize-client-event.ts';
import { authorizeSignin } from './authorize-signin.ts';
import { authorizeSubscribe } from './authorize-subscribe.ts';
import { authorizeUnsubscribe } from './authorize-unsubscribe.ts';

/** Whether the sender may do what the message asks for. Nothing is changed yet. */
export const authorize = defineStage({
  name: 'authorize',
  needs: ['config'],
  map: ({ connection, message }: MessageDecoded, { config }): AuthorizedMessage => {
    switch (message.kind) {
      case 'subscribe':
        return authorizeSubscribe(connection, message, config);
      case 'unsubscribe':
        return authorizeUnsubscribe(connection, message);
      case 'signin':
        return authorizeSignin(connection, message);
      case 'client-event':
        return authorizeClientEvent(connection, message, config);
      case 'ping':
      case 'pong':
        return { kind: message.kind, connection };
    }
  },
});
