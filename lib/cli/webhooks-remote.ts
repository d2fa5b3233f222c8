import { type Command, InvalidArgumentError } from 'commander';
import { addAdminFlags, type AdminClient, adminClient } from './admin-client.ts';
import type { Terminal } from './terminal.ts';
import {
  type EventAnswer,
  type EventsAnswer,
  eventsText,
  eventText,
  type ListAnswer,
  listText,
  replayText,
  type OrderAnswer,
  retryText,
} from './webhook-texts.ts';

interface Flags {
  readonly app?: string;
  readonly endpoint?: string;
  readonly id?: string;
  readonly channel?: string;
  readonly from?: string;
  readonly to?: string;
  readonly state?: string;
  readonly limit?: number;
  readonly deadLetters?: boolean;
  readonly json?: boolean;
}

/** One command, once it is known which server, app and output are meant. */
type Work<Answer> = (admin: AdminClient, flags: Flags, app: string) => Promise<Answer>;

/** Adds `list`, `events`, `inspect`, `retry` and `replay`: they ask the admin listener of a running server. */
export function addRemoteCommands(group: Command, terminal: Terminal): void {
  const remote = (name: string, description: string): Command =>
    addAdminFlags(group.command(name).description(description)).option('--json', 'print JSON');
  const forApp = (name: string, description: string): Command =>
    remote(name, description)
      .option('--app <id>', 'which app (default: the one that has endpoints)')
      .option('--endpoint <id>', 'only this endpoint');
  /** Reads the flags, asks, and prints the answer. */
  const run = async <Answer>(command: Command, text: (answer: Answer) => string, work: Work<Answer>) => {
    const flags = command.opts<Flags>();
    const admin = adminClient(command, terminal.env);
    const answer = await work(admin, flags, flags.app ?? (await onlyApp(command, admin)));
    terminal.out(flags.json === true ? `${JSON.stringify(answer, null, 2)}\n` : text(answer));
  };

  remote('list', 'endpoints, how they do, and what waits for them').action(
    async (_flags, command: Command) => {
      const answer = await adminClient(command, terminal.env).get('/webhooks');
      const isJson = command.opts<Flags>().json === true;
      terminal.out(isJson ? `${JSON.stringify(answer, null, 2)}\n` : listText(answer as ListAnswer));
    },
  );
  withConditions(forApp('events', 'events that are kept, oldest first, and how far they have come'))
    .option('--state <state>', 'only pending, recorded, delivered or dead ones')
    .option('--limit <count>', 'how many at most (default: 100)', countOf)
    .action((_flags, command: Command) => run<EventsAnswer>(command, eventsText, events));
  remote('inspect', 'one event, and what became of it')
    .argument('<id>', 'id of the event')
    .option('--app <id>', 'which app (default: the one that has endpoints)')
    .action((id: string, _flags, command: Command) =>
      run<EventAnswer>(command, eventText, (admin, _, app) => inspect(admin, app, id)),
    );
  forApp('retry', 'ask endpoints again at once, paused ones too')
    .option('--dead-letters', 'and send them again what was given up')
    .action((_flags, command: Command) => run<OrderAnswer>(command, retryText, retry));
  withConditions(
    forApp('replay', 'send events again, delivered ones or dead letters: by id, channel or time'),
  )
    .option('--limit <count>', 'how many at most (default: 10000)', countOf)
    .action((_flags, command: Command) => run<OrderAnswer>(command, replayText, replay));
}

function withConditions(command: Command): Command {
  return command
    .option('--id <id>', 'only the event with this id')
    .option('--channel <name>', 'only events of this channel')
    .option('--from <time>', 'only from this time on, such as 2026-11-21T10:00:00Z')
    .option('--to <time>', 'only up to this time');
}

function countOf(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected a number, 1 or more.');
}

/** Where one app has endpoints there is no need to name it. */
async function onlyApp(command: Command, admin: AdminClient): Promise<string> {
  const { endpoints } = (await admin.get('/webhooks')) as ListAnswer;
  const [app, ...others] = new Set(endpoints.map((endpoint) => endpoint.app));
  if (app === undefined)
    throw new Error('no app has a webhook endpoint: add one to its webhooks in the configuration');
  if (others.length === 0) return app;
  return command.error(
    `error: several apps have endpoints: give --app, one of ${[app, ...others].join(', ')}`,
  );
}

/** What `events` and `replay` have in common, as the admin listener calls it. */
function conditionsOf({ endpoint, id, channel, from, to }: Flags): Record<string, string> {
  const given = Object.entries({ endpoint, id, channel, from, to });
  return Object.fromEntries(given.filter((pair): pair is [string, string] => pair[1] !== undefined));
}

const events: Work<EventsAnswer> = async (admin, flags, app) => {
  const { state, limit } = flags;
  return (await admin.get('/webhooks/events', {
    app,
    ...conditionsOf(flags),
    ...(state === undefined ? {} : { state }),
    ...(limit === undefined ? {} : { limit: String(limit) }),
  })) as EventsAnswer;
};

async function inspect(admin: AdminClient, app: string, id: string): Promise<EventAnswer> {
  return (await admin.get(`/webhooks/events/${encodeURIComponent(id)}`, { app })) as EventAnswer;
}

const retry: Work<OrderAnswer> = async (admin, { endpoint, deadLetters = false }, app) =>
  (await admin.post('/webhooks/retry', {
    app,
    ...(endpoint === undefined ? {} : { endpoint }),
    deadLetters,
  })) as OrderAnswer;

const replay: Work<OrderAnswer> = async (admin, flags, app) =>
  (await admin.post('/webhooks/replay', {
    app,
    ...conditionsOf(flags),
    ...(flags.limit === undefined ? {} : { limit: flags.limit }),
  })) as OrderAnswer;
