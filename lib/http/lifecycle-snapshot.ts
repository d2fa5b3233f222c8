import { andThen } from '../flow/maybe-promise.ts';
import type { Endpoint } from './api-request.ts';

/** `GET /apps/:id/lifecycle/snapshot`: what endpoints were told is occupied, by whom, and where the stream goes on (R10). */
export const lifecycleSnapshot: Endpoint = ({ app }, { outbox }) =>
  andThen(outbox.lifecycleSnapshot(app.id), ({ channels, position }) => ({
    channels: channels.map(({ channel, epoch, seq, members }) => ({
      channel,
      epoch,
      seq,
      members: members.map((member) => ({ user_id: member.userId, seq: member.seq })),
    })),
    position,
  }));
