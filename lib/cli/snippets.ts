import type { AppConfig, Config } from '../../config/schema.ts';

/** Where clients find the server. */
export interface ClientTarget {
  readonly app: Pick<AppConfig, 'id' | 'key' | 'secret'>;
  readonly server: Pick<Config['server'], 'host' | 'path' | 'tls'>;
  /** The port that is really listened on. */
  readonly port: number;
}

/** Ready-to-paste settings for pusher-js, Laravel Echo and a Laravel `.env`. */
export function snippets(target: ClientTarget): string {
  return [
    'No app is configured, so the development app is served. To try it:',
    section('pusher-js, in a browser or in Node.js', pusherJs(target)),
    section('Laravel Echo', laravelEcho(target)),
    section("Laravel's .env", laravelEnv(target)),
  ].join('\n');
}

/** `new Pusher(…)` for an app. */
export function pusherJs(target: ClientTarget): string {
  return [
    "import Pusher from 'pusher-js';",
    '',
    `const pusher = new Pusher(${quoted(target.app.key)}, {`,
    "  cluster: 'local', // asked for by pusher-js, not used",
    ...connectionLines(target),
    '});',
    "pusher.subscribe('chat').bind('message', (data) => console.log(data));",
  ].join('\n');
}

/** `new Echo(…)` for an app. */
export function laravelEcho(target: ClientTarget): string {
  return [
    "import Echo from 'laravel-echo';",
    "import Pusher from 'pusher-js';",
    '',
    'window.Pusher = Pusher;',
    'window.Echo = new Echo({',
    "  broadcaster: 'pusher',",
    `  key: ${quoted(target.app.key)},`,
    "  cluster: 'local',",
    ...connectionLines(target),
    '});',
  ].join('\n');
}

/** The variables that Laravel's broadcasting reads to publish. */
export function laravelEnv({ app, server, port }: ClientTarget): string {
  return [
    'BROADCAST_CONNECTION=pusher',
    `PUSHER_APP_ID=${app.id}`,
    `PUSHER_APP_KEY=${app.key}`,
    `PUSHER_APP_SECRET=${app.secret}`,
    `PUSHER_HOST=${reachableHost(server.host)}`,
    `PUSHER_PORT=${port}`,
    `PUSHER_SCHEME=${server.tls === undefined ? 'http' : 'https'}`,
    'PUSHER_APP_CLUSTER=local',
  ].join('\n');
}

function connectionLines({ server, port }: ClientTarget): readonly string[] {
  return [
    `  wsHost: ${quoted(reachableHost(server.host))},`,
    `  wsPort: ${port},`,
    `  wssPort: ${port},`,
    ...(server.path === '' ? [] : [`  wsPath: ${quoted(server.path)},`]),
    `  forceTLS: ${String(server.tls !== undefined)},`,
    "  enabledTransports: ['ws', 'wss'],",
  ];
}

function section(title: string, text: string): string {
  return `\n# ${title}\n\n${text}\n`;
}

/** An address that listens on every interface is reached by name. */
function reachableHost(host: string): string {
  return host === '0.0.0.0' || host === '::' ? 'localhost' : host;
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
