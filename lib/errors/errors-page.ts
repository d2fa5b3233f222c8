import { catalogue, type ErrorCode, type ErrorEntry } from './catalogue.ts';
import { type ErrorKind, errorKinds } from './kinds.ts';

const meanings: Readonly<Record<ErrorKind, string>> = {
  client: 'The caller made a mistake; the server is fine.',
  overload: 'A limit was reached, or the server is going.',
  transient: 'The server could not do it this time.',
  fatal: 'The configuration or a stage cannot be used.',
};

const introduction = (): string => `# Errors

Generated from \`lib/errors/catalogue.ts\` by \`node scripts/write-docs.js\`; a spec compares the two.

Every error that leaves the server has a code. Log lines carry it in \`code\`; clients and publishers are sent the message,
and the numbers below. \`{name}\` in a message stands for a detail of the case.

| Kind | Means | Level | What is done | May be tried again |
|---|---|---|---|---|
${kindLines()}

Every error that leaves the server is counted in \`spillway_errors_total{kind,code}\`.

**Closes with** is the WebSocket close code when the error ends the connection. **Pusher code** is the \`code\` inside
\`pusher:error\` when the connection stays open. **Status** is the HTTP status, and the \`status\` of a
\`pusher:subscription_error\`.
`;

const titles: Readonly<Record<string, string>> = {
  connection: 'Connections: answered with pusher:error, then closed',
  message: 'Messages: answered with pusher:error, the connection stays open',
  subscription: 'Subscriptions: answered with pusher:subscription_error and pusher:error',
  signin: 'Sign-in: answered with pusher:error, the connection stays open',
  'client-event': 'Client events: answered with pusher:error, the connection stays open',
  http: 'HTTP API: the body of the answer',
  lifecycle: 'Lifecycle stream of the HTTP API: the body of the answer',
  admin: 'Admin listener: the body of the answer',
  webhook: 'Webhooks: seen in the log',
  stage: 'Stages: seen in the log',
  outbox: 'Outbox: printed, and the server does not start',
  cluster: 'Cluster: printed, and the server does not start; in the log when it happens later',
  redis: 'Redis: printed, and the server does not start; `redis.away` is an answer',
  internal: 'Internal errors: the cause is in the log',
  config: 'Configuration: printed, and the server does not start',
};

/** What to do where it is not the same for every error of the kind. */
const advice: Partial<Record<ErrorCode, string>> = {
  'connection.unknown-app': 'Check the app key, and that this server is the one that has the app.',
  'connection.over-quota': 'Close unused connections or raise `maxConnections` of the app.',
  'connection.origin-not-allowed': 'Add the origin to `allowedOrigins` of the app.',
  'connection.unauthorised': 'Sign in within `requireAuthWithinSeconds` of the app.',
  'connection.slow': 'Read faster or subscribe to less; official clients reconnect after a second.',
  'connection.pong-timeout':
    'Nothing: official clients reconnect at once. Often a suspended tab or a lost network.',
  'subscription.auth-signature':
    'Sign with the secret of the key that is named in `auth`, and sign exactly the shown string.',
  'subscription.auth-missing': 'Configure an authorization endpoint in the client.',
  'subscription.members-full': 'Raise `presence.maxMembers` of the app.',
  'signin.auth-signature':
    'Sign with the secret of the key that is named in `auth`, and sign exactly the shown string.',
  'http.auth-signature': 'Sign with the secret of `auth_key`, and sign exactly the shown string.',
  'http.auth-timestamp-expired': 'Set the clock of the publisher.',
  'http.overloaded': 'Try again after a second; if it lasts, add a node or publish less.',
  'lifecycle.gone':
    'Ask for `lifecycle/snapshot`, forget what was folded before, and go on from its `position`.',
  'lifecycle.off': 'Add an entry to `webhooks` of the app.',
  'admin.token': 'With the command line: `--token`, or `admin.token` in the configuration it is given.',
  'admin.read-only': 'Set `admin.token`, start the server again and send the token.',
  'admin.unknown-endpoint': '`spillway webhooks list` shows the endpoints.',
  'admin.unknown-event':
    'It was never told, or is older than the retention: `spillway webhooks events` lists what is kept.',
  'client-event.rate': 'Send fewer client events or raise `clientEvents.perSecond` of the app.',
  'webhook.changed': 'Mend the stage; the batch it was given is not lost, it is tried again.',
  'stage.failed': 'Read `err` in the log line and mend the stage; the other items went on.',
  'stage.timeout': 'Make the stage faster, or give it more time.',
  'stage.invalid': 'Mend the stage or take it out of the configuration, then start again.',
  'outbox.spool-unreadable':
    'Start with the settings it was written with; the file is left as it is until it was read.',
  internal: 'Read `err` in the log line; please report it.',
  'config.invalid': 'Correct the listed settings and start again.',
};

function kindLines(): string {
  return Object.entries(errorKinds)
    .map(([kind, { level, action, mayRetry }]) => {
      const cells = [kind, meanings[kind as ErrorKind], level, action, mayRetry ? 'yes' : 'no'];
      return `| ${cells.join(' | ')} |`;
    })
    .join('\n');
}

/** The text of `docs/errors.md`. */
export function renderErrorsPage(): string {
  const rows: [string, ErrorEntry][] = Object.entries(catalogue);
  return [introduction(), ...groupsOf(rows)].join('\n');
}

function groupsOf(rows: readonly [string, ErrorEntry][]): string[] {
  const prefixes = [...new Set(rows.map(([code]) => prefixOf(code)))];
  return prefixes.map((prefix) => {
    const lines = rows
      .filter(([code]) => prefixOf(code) === prefix)
      .map(([code, entry]) => lineOf(code, entry));
    return `## ${titles[prefix] ?? prefix}\n\n${header}\n${lines.join('\n')}\n`;
  });
}

const header =
  '| Code | Kind | Message | Status | Closes with | Pusher code | What to do |\n|---|---|---|---|---|---|---|';

function prefixOf(code: string): string {
  return code.split('.', 1)[0] ?? code;
}

function lineOf(code: string, entry: ErrorEntry): string {
  const { kind, message, status, closes, pusherCode } = entry;
  const cells = [
    `\`${code}\``,
    kind,
    message,
    status,
    closes ?? '',
    pusherCode ?? '',
    adviceFor(code, entry),
  ];
  return `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;
}

function adviceFor(code: string, entry: ErrorEntry): string {
  return (advice as Readonly<Record<string, string>>)[code] ?? adviceByKind(code, entry);
}

function adviceByKind(code: string, { kind, closes }: ErrorEntry): string {
  if (closes !== undefined) return adviceByCloseCode(closes);
  if (kind === 'overload') return 'Slow down and try again.';
  if (kind === 'transient') return 'Try again after a second.';
  if (kind === 'fatal') return 'Correct it and start again.';
  return code.startsWith('http.')
    ? 'Correct the request; sending the same again fails again.'
    : 'Correct what the client sends.';
}

/** The ranges are Pusher's: clients know them. */
function adviceByCloseCode(closes: number): string {
  if (closes < 4100) return 'Do not reconnect before the cause is mended.';
  if (closes < 4200) return 'Reconnect after a second or more.';
  return 'Reconnect at once: official clients do.';
}
