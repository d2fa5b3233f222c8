import type { RawObject } from './raw.ts';

/** The secret of the development app: public, so it is refused where others can reach the server. */
export const developmentSecret = 'app-secret';

/** The app that is there when none is configured. Client events are on, so that the printed snippets work. */
export const developmentApp: RawObject = {
  id: 'app-id',
  key: 'app-key',
  secret: developmentSecret,
  clientEvents: { enabled: true },
};
