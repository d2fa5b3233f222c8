import type { Credentials } from '../../support/journal.ts';

export const appNames = ['one', 'two'] as const;
export type AppName = (typeof appNames)[number];

export const apps: Readonly<Record<AppName, Credentials>> = {
  one: { id: 'one', key: 'key-one', secret: 'secret-one' },
  two: { id: 'two', key: 'key-two', secret: 'secret-two' },
};

/** The same names in both apps, so that a mix-up of apps shows. */
export const channels = [
  'plain-a',
  'plain-b',
  'plain-c',
  'private-a',
  'presence-a',
  'presence-b',
  'presence-c',
  'presence-d',
] as const;

/** Two sockets for each user, every third user in the second app; the id of a user begins with its app. */
export interface Seat {
  readonly app: AppName;
  readonly user: string;
}

export function seatsFor(sockets: number): readonly Seat[] {
  return Array.from({ length: sockets }, (_, index) => {
    const user = Math.floor(index / 2);
    const app = user % 3 === 2 ? 'two' : 'one';
    return { app, user: `${app}-${user}` };
  });
}

export function isPresence(channel: string): boolean {
  return channel.startsWith('presence-');
}
