import { type Attempt, firstOfEach, type Journal, type ToldEvent } from './journal.ts';

export interface JournalRules {
  /** What the endpoint asked for; default: all four lifecycle kinds. */
  readonly kinds?: readonly string[];
  /** Channels that an event of this endpoint may have; default: any. */
  readonly ownsChannel?: (channel: string) => boolean;
  /** Events may come again in a second batch: a batch was split, or events were replayed. */
  readonly rebatches?: boolean;
  /**
   * A store came back without what it had, and so did the nodes that knew: a new epoch may begin with anything, and a channel
   * that stays in its epoch may give an id twice (docs/cluster.md, what Redis may lose).
   */
  readonly mayForget?: boolean;
}

/** Occupied channels, each with its users, both in order of name. */
export type Occupancy = Readonly<Record<string, readonly string[]>>;

const lifecycle = ['channel_occupied', 'channel_vacated', 'member_added', 'member_removed'] as const;

/** What a journal shows against the promises R3 and R4; empty when it keeps them. */
export function problemsOf(journal: Journal, rules: JournalRules = {}): readonly string[] {
  const kinds = new Set(rules.kinds ?? lifecycle);
  const arrived = firstOfEach(journal.attempts);
  return [
    ...journal.attempts.flatMap(({ webhookId, objections }) => objections.map((it) => `${webhookId}: ${it}`)),
    ...changedBatches(journal.attempts),
    ...changedEvents(journal.attempts, rules),
    ...strangers(journal, kinds, rules.ownsChannel ?? (() => true)),
    ...(lifecycle.every((kind) => kinds.has(kind)) ? gaps(arrived) : []),
    ...wrongPredecessors(journal.events),
    ...wrongTurns(journal.events, kinds, rules.mayForget === true),
  ];
}

/** The state that the taken events lead to. A channel that is told occupied anew (`reconciled`) begins without members. */
export function foldOf(events: readonly ToldEvent[]): Occupancy {
  const channels = new Map<string, Set<string>>();
  for (const { name, channel, cause, user_id: user = '' } of events) {
    if (name === 'channel_occupied') {
      const known = cause === 'reconciled' ? undefined : channels.get(channel);
      channels.set(channel, known ?? new Set());
    }
    if (name === 'channel_vacated') channels.delete(channel);
    if (name === 'member_added') channels.get(channel)?.add(user);
    if (name === 'member_removed') channels.get(channel)?.delete(user);
  }
  const names = [...channels.keys()].sort();
  return Object.fromEntries(names.map((name) => [name, [...(channels.get(name) ?? [])].sort()]));
}

/** Under one webhook-id: one body, one Pusher signature. */
function changedBatches(attempts: readonly Attempt[]): readonly string[] {
  const first = new Map<string, Attempt>();
  return attempts.flatMap((attempt) => {
    const before = first.get(attempt.webhookId) ?? attempt;
    first.set(attempt.webhookId, before);
    const isSameBody = before.body.equals(attempt.body);
    const isSameSignature = before.headers['x-pusher-signature'] === attempt.headers['x-pusher-signature'];
    return [
      ...(isSameBody ? [] : [`${attempt.webhookId}: the body changed between attempts`]),
      ...(isSameSignature ? [] : [`${attempt.webhookId}: the Pusher signature changed between attempts`]),
    ];
  });
}

/** Under one event id: one event, in one batch. `prev_seq` belongs to the batch. */
function changedEvents(
  attempts: readonly Attempt[],
  { rebatches = false, mayForget = false }: JournalRules,
): readonly string[] {
  const first = new Map<string, { readonly text: string; readonly webhookId: string }>();
  return attempts.flatMap(({ events, webhookId }) =>
    events.flatMap((event) => {
      const text = JSON.stringify({ ...event, prev_seq: undefined });
      const before = first.get(event.id) ?? { text, webhookId };
      first.set(event.id, before);
      return [
        ...(mayForget || before.text === text
          ? []
          : [`${event.id}: the event changed: ${before.text}, ${text}`]),
        ...(rebatches || before.webhookId === webhookId
          ? []
          : [`${event.id}: came in ${before.webhookId} and in ${webhookId}`]),
      ];
    }),
  );
}

/** Events that the endpoint did not ask for, or that are not its app's. */
function strangers(
  { attempts, app }: Journal,
  kinds: ReadonlySet<string>,
  ownsChannel: (channel: string) => boolean,
): readonly string[] {
  const events = firstOfEach(attempts).filter(({ name }) => name !== 'spillway_coalesced');
  return [
    ...attempts
      .filter(({ headers }) => headers['x-pusher-key'] !== app.key)
      .map(({ webhookId }) => `${webhookId}: signed with another app's key`),
    ...events.filter(({ name }) => !kinds.has(name)).map((event) => `${nameOf(event)}: not asked for`),
    ...events
      .filter(({ channel }) => !ownsChannel(channel))
      .map((event) => `${nameOf(event)}: a channel of others`),
  ];
}

/**
 * First deliveries: `seq` without a hole, per channel and epoch. Holes are where a coalesced range says so, and after
 * snapshots. A range of channel `*` stands for that many events, of whatever channels, and comes before their holes.
 */
function gaps(events: readonly ToldEvent[]): readonly string[] {
  const last = new Map<string, { seq: number; holesUpTo: number }>();
  let leftOutAnywhere = 0;
  return events.flatMap((event) => {
    const { seq, name, cause, to_seq: toSeq } = event;
    const key = `${event.channel} ${event.epoch}`;
    const before = last.get(key) ?? { seq: 0, holesUpTo: 0 };
    last.set(key, before);
    if (name === 'spillway_coalesced') before.holesUpTo = toSeq ?? 0;
    if (name === 'spillway_coalesced' && event.channel === '*') leftOutAnywhere += event.count ?? 0;
    if (seq === undefined) return [];
    const due = before.seq + 1;
    const missing = Math.max(0, seq - Math.max(due, before.holesUpTo + 1));
    before.seq = seq;
    if (cause === 'snapshot') {
      before.holesUpTo = Number.MAX_SAFE_INTEGER;
      return seq >= due ? [] : [`${nameOf(event)}: seq ${seq} where ${due} was due`];
    }
    if (before.holesUpTo === Number.MAX_SAFE_INTEGER) before.holesUpTo = 0;
    if (seq >= due && missing <= leftOutAnywhere) {
      leftOutAnywhere -= missing;
      return [];
    }
    return [`${nameOf(event)}: seq ${seq} where ${due} was due`];
  });
}

/** `prev_seq`: of the event of this channel and epoch that the endpoint took before. */
function wrongPredecessors(events: readonly ToldEvent[]): readonly string[] {
  const last = new Map<string, number>();
  return events.flatMap((event) => {
    const { seq, prev_seq: prevSeq } = event;
    if (seq === undefined) return [];
    const key = `${event.channel} ${event.epoch}`;
    const expected = last.get(key) ?? 0;
    last.set(key, seq);
    return prevSeq === expected ? [] : [`${nameOf(event)}: prev_seq ${prevSeq} where ${expected} was due`];
  });
}

/**
 * Strict alternation, members only in occupied channels, nobody left in a vacated one. The first that is told of a channel
 * or member in a new epoch may contradict what was told in another one when its cause is `reconciled` (R7).
 */
function wrongTurns(
  events: readonly ToldEvent[],
  kinds: ReadonlySet<string>,
  mayForget: boolean,
): readonly string[] {
  const epochs = new Map<string, string | undefined>();
  const occupied = new Set<string>();
  const members = new Map<string, Set<string>>();
  const has = (...names: readonly string[]): boolean => names.every((name) => kinds.has(name));
  const tellsOccupancy = has('channel_occupied', 'channel_vacated');
  const tellsMembers = has('member_added', 'member_removed');
  return events.flatMap((event) => {
    const { name, channel, user_id: user = '' } = event;
    const users = members.get(channel) ?? new Set<string>();
    members.set(channel, users);
    const key = JSON.stringify([channel, event.user_id]);
    const isAnew = (event.cause === 'reconciled' || mayForget) && epochs.get(key) !== event.epoch;
    epochs.set(key, event.epoch);
    const objection = (isWrong: boolean, text: string): readonly string[] =>
      isWrong && !isAnew ? [`${nameOf(event)}: ${text}`] : [];
    switch (name) {
      case 'channel_occupied': {
        const isTwice = tellsOccupancy && occupied.has(channel);
        occupied.add(channel);
        if (isTwice && isAnew) users.clear();
        return objection(isTwice, 'occupied twice');
      }
      case 'channel_vacated': {
        const isTwice = tellsOccupancy && !occupied.delete(channel);
        const left = [...users].join(', ');
        if (isAnew) users.clear();
        return [
          ...objection(isTwice, 'vacated without being occupied'),
          ...objection(tellsMembers && left !== '', `vacated with ${left} in it`),
        ];
      }
      case 'member_added': {
        const isTwice = tellsMembers && users.has(user);
        users.add(user);
        return [
          ...objection(isTwice, 'added twice'),
          ...objection(tellsOccupancy && !occupied.has(channel), 'added before its channel was occupied'),
        ];
      }
      case 'member_removed':
        return objection(!users.delete(user) && tellsMembers, 'removed without being added');
      default:
        return [];
    }
  });
}

function nameOf({ name, channel, user_id: user, id }: ToldEvent): string {
  return [name, channel, ...(user === undefined ? [] : [user]), `(${id})`].join(' ');
}
