import { Redis } from 'ioredis';
import type { ConnectionOptions } from './connect.ts';

interface FailoverWatchOptions {
  readonly sentinels: readonly ConnectionOptions[];
  /** The group whose master is watched. */
  readonly group: string;
  readonly onSwitch: () => void;
  readonly onError: (error: Error) => void;
}

const channel = '+switch-master';

/**
 * Tells at once when sentinels name another master. A master that was put off goes on taking writes until it is
 * told, for seconds; they are lost. (ioredis's own detector writes the errors of its connections to stderr.)
 */
export class FailoverWatch {
  readonly #connections: readonly Redis[];

  constructor({ sentinels, group, onSwitch, onError }: FailoverWatchOptions) {
    this.#connections = sentinels.map((options) => {
      const redis = new Redis(options);
      redis.on('error', onError);
      redis.on('ready', () => {
        redis.call('subscribe', channel).catch(onError);
      });
      redis.on('message', (_channel, message: string) => {
        if (message.split(' ', 1)[0] === group) onSwitch();
      });
      redis.connect().catch(onError);
      return redis;
    });
  }

  close(): void {
    for (const redis of this.#connections) redis.disconnect();
  }
}
