import { SpillwayError } from '../errors/spillway-error.ts';
import { andThen } from '../flow/maybe-promise.ts';
import type { Endpoint } from './api-request.ts';
import { channelOf } from './channel-of.ts';

/** `GET /apps/:id/channels/:name/users`: the members of a presence channel, each user once (protocol.md 7.1). */
export const listUsers: Endpoint = ({ app, names }, { membership }) => {
  const channel = channelOf(names);
  if (channel.kind !== 'presence') throw new SpillwayError('http.users-kind');
  return andThen(membership.users(app.id, channel.name), (users) => ({ users: users.map((id) => ({ id })) }));
};
