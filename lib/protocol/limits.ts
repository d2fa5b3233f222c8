/** The longest event name, in characters (protocol.md 6 and 7.4). */
export const maxEventNameLength = 200;

/** The longest channel name, in characters, unless an app says otherwise (protocol.md 3.1). */
export const maxChannelNameLength = 200;

/** The longest `user_id` of a presence member, in characters (protocol.md 3.3). */
export const maxUserIdLength = 128;

/** The longest id of a signed-in user, in characters (protocol.md 3.6). */
export const maxSignedInUserIdLength = 200;

/** The number of users one connection may watch (protocol.md 5). */
export const maxWatchlist = 100;

/** The number of channels one HTTP event may name (protocol.md 7.1). */
export const maxChannelsPerEvent = 100;

/** The number of events in one HTTP batch (protocol.md 7.1). */
export const maxEventsPerBatch = 10;

/** How far `auth_timestamp` may be from the clock of the server, in seconds, both ways (protocol.md 7.2). */
export const httpTimestampWindowSeconds = 600;
