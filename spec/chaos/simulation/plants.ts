import { createHmac } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import type { PostWebhook } from '../../../lib/webhooks/post.ts';
import { apps, isPresence } from '../cluster/apps.ts';
import type { StoreAccess } from '../store-model/model-link.ts';
import type { ModelStore } from '../store-model/model-store.ts';
import type { OutboxEntry } from '../store-model/partition-state.ts';
import type { Plant } from './sim-node.ts';

interface Planted {
  readonly plant: () => Plant;
  /** What has to be said against it. */
  readonly complaint: RegExp;
}

/** Clusters that break a promise each: the checker has to notice every one of them. */
export const plants: Readonly<Record<string, Planted>> = {
  'appends an event after the state change instead of with it': {
    plant: () => ({ store: appendingLater }),
    complaint: /webhooks of app|was there, and nobody was told|seq \d+ where \d+ was due/,
  },
  'holds the grace in the memory of the node that was told of the leave': {
    plant: () => ({ store: withGraceInTimers }),
    complaint: /was never told|webhooks of app/,
  },
  'ignores that an event could not be enqueued': {
    plant: () => ({ store: losingSomeEntries() }),
    complaint: /webhooks of app|seq \d+ where \d+ was due/,
  },
  'ignores what became of a delivery': {
    plant: () => ({
      post:
        (post) =>
        async (...request) => {
          await post(...request);
          return { kind: 'answered', status: 200 };
        },
    }),
    complaint: /webhooks of app|prev_seq \d+ where \d+ was due/,
  },
  'skips plain channels when a node dies': {
    plant: () => ({ store: reapingPresenceOnly }),
    complaint: /plain-a|private-a/,
  },
  'shares batches between apps': {
    plant: () => ({ post: withEventsOfOthers() }),
    complaint: /is of another app|came in msg_\w+ and in msg_\w+/,
  },
  'computes filters and ignores them': {
    plant: () => ({
      onParts: ({ endpoints }) => {
        for (const endpoint of endpoints.all()) Object.assign(endpoint, { takes: () => true });
      },
    }),
    complaint: /rooms: channel_occupied .+: not asked for/,
  },
};

type Run = StoreAccess['run'];

function withRun(access: StoreAccess, alter: (run: Run) => Run): StoreAccess {
  return { ...access, run: alter(access.run) };
}

/** As long as a second command behind a script takes under load. */
const secondCommandMs = 20;

/** The node appends with a command of its own, once the script was answered. */
function appendingLater(access: StoreAccess, store: ModelStore): StoreAccess {
  return withRun(access, (run) => (script, partition, args, atMs) => {
    if (script !== 'apply') return run(script, partition, args, atMs);
    const heads = new Map(outboxesOf(store, partition).map(([app, { head }]) => [app, head]));
    const reply = withoutWaking(store, () => run(script, partition, args, atMs));
    for (const [app, outbox] of outboxesOf(store, partition)) {
      const appended = outbox.entries.filter(({ number }) => number > (heads.get(app) ?? 0));
      if (appended.length === 0) continue;
      outbox.entries.splice(-appended.length);
      outbox.head -= appended.length;
      setTimeout(() => append(store, partition, app, appended), secondCommandMs);
    }
    return reply;
  });
}

/** Nobody is told of entries that are not there yet. */
function withoutWaking<T>({ messages$ }: ModelStore, work: () => T): T {
  const say = messages$.next.bind(messages$);
  messages$.next = (message) => {
    if (message.name !== 'wake') say(message);
  };
  try {
    return work();
  } finally {
    Reflect.deleteProperty(messages$, 'next');
  }
}

function append(store: ModelStore, partition: number, app: string, entries: readonly OutboxEntry[]): void {
  const outbox = store.state(partition).outbox.get(app);
  if (outbox === undefined) return;
  for (const { fields } of entries) outbox.entries.push({ number: ++outbox.head, fields });
  store.messages$.next({ partition, name: 'wake', message: `${app} ${outbox.head}` });
}

/** What the script armed is taken out of the store, and put back when it is due by whoever had it armed. */
function withGraceInTimers(access: StoreAccess, store: ModelStore): StoreAccess {
  return withRun(access, (run) => (script, partition, args, atMs) => {
    const { deadlines } = store.state(partition);
    const before = new Map(deadlines);
    const reply = run(script, partition, args, atMs);
    for (const [deadline, dueMs] of deadlines) {
      if (before.get(deadline) === dueMs) continue;
      deadlines.delete(deadline);
      setTimeout(() => {
        deadlines.set(deadline, dueMs);
        const [holder = '', storeId = ''] = holderIn(args);
        run('fire', partition, [holder, storeId, 256, 60_000, 0], dueMs);
      }, dueMs - atMs);
    }
    return reply;
  });
}

function holderIn(args: Parameters<Run>[2]): readonly string[] {
  return args.slice(0, 2).map(String);
}

/** One entry in seven finds the outbox full. */
function losingSomeEntries(): NonNullable<Plant['store']> {
  let appended = 0;
  return (access, store) =>
    withRun(access, (run) => (script, partition, args, atMs) => {
      const heads = new Map(outboxesOf(store, partition).map(([app, { head }]) => [app, head]));
      const reply = run(script, partition, args, atMs);
      for (const [app, outbox] of outboxesOf(store, partition)) {
        const added = outbox.head - (heads.get(app) ?? 0);
        if (added <= 0) continue;
        appended += added;
        if (appended % 7 === 0) outbox.entries.pop();
      }
      return reply;
    });
}

function outboxesOf(store: ModelStore, partition: number) {
  return [...store.state(partition).outbox];
}

function reapingPresenceOnly(access: StoreAccess, store: ModelStore): StoreAccess {
  return withRun(access, (run) => (script, partition, args, atMs) => {
    if (script === 'reap') {
      const dead = store.state(partition).holders.get(String(args[1]));
      for (const entry of dead?.channels ?? []) {
        if (!isPresence(entry.slice(entry.indexOf(':') + 1))) dead?.channels.delete(entry);
      }
    }
    return run(script, partition, args, atMs);
  });
}

/** Every request carries what was last posted for the other app, too; rightly signed. */
function withEventsOfOthers(): (post: PostWebhook) => PostWebhook {
  const last = new Map<string, readonly unknown[]>();
  return (post) => (endpoint, headers, body) => {
    const name = endpoint.url.host === 'two.test' ? 'two' : 'one';
    const other = name === 'one' ? 'two' : 'one';
    const payload = JSON.parse(body.toString()) as { readonly events: readonly unknown[] };
    const events = [...payload.events, ...(last.get(other) ?? [])];
    last.set(name, payload.events);
    const text = JSON.stringify({ ...payload, events });
    const { secret } = apps[name];
    const id = headers['webhook-id'] ?? '';
    const at = new Date(Number(headers['webhook-timestamp']) * 1000);
    const signed = {
      ...headers,
      'content-length': String(Buffer.byteLength(text)),
      'x-pusher-signature': createHmac('sha256', secret).update(text).digest('hex'),
      'webhook-signature': new Webhook(Buffer.from(secret).toString('base64')).sign(id, at, text),
    };
    return post(endpoint, signed, Buffer.from(text));
  };
}
