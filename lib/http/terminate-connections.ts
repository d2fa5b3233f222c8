import { andThen } from '../flow/maybe-promise.ts';
import type { Endpoint } from './api-request.ts';

/** `POST /apps/:id/users/:user/terminate_connections`: every connection signed in as the user, on all nodes (protocol.md 7.5). */
export const terminateConnections: Endpoint = ({ app, names: [userId = ''] }, { bus }) =>
  andThen(bus.publish({ kind: 'terminate', appId: app.id, userId }), () => ({}));
