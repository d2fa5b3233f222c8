import { SpillwayError } from '../errors/spillway-error.ts';
import { type ChannelName, parseChannelName } from '../protocol/channel-name.ts';

/** The channel a path names. */
export function channelOf([name = '']: readonly string[]): ChannelName {
  const channel = parseChannelName(name);
  if (channel !== undefined) return channel;
  throw new SpillwayError('http.invalid-parameter', {
    parameter: 'channel',
    expected: 'a valid channel name',
  });
}
