import type { Stored, StoreDump } from './store-dump.ts';

/** `<prefix>{<partition>}:<kind>`, and behind that what the kind needs. */
const keyForm = /^.*?\{(\d+)\}:([a-z]+)(?::(.*))?$/s;

interface Partition {
  readonly name: string;
  /** Content by kind, and by what follows the kind. */
  readonly kinds: ReadonlyMap<string, ReadonlyMap<string, Stored>>;
}

/**
 * What is wrong in a Redis when nothing has happened for a while, by the keys alone (docs/cluster.md): entries of holders
 * that are not alive, indexes that contradict the state they index, deadlines and records that should be done with.
 */
export function leftoversIn({ keys, nowMs }: StoreDump, liveNodes: number): readonly string[] {
  return partitionsIn(keys).flatMap((partition) => {
    const { scores } = zset(partition, 'lease');
    const live = new Set(Object.keys(scores).filter((holder) => (scores[holder] ?? 0) > nowMs));
    const problems = [
      ...leaseProblems(scores, live, liveNodes),
      ...holderProblems(partition, live),
      ...channelProblems(partition, live),
      ...memberProblems(partition),
      ...signInProblems(partition),
      ...deadlineProblems(partition),
      ...laneProblems(partition),
    ];
    return problems.map((problem) => `partition ${partition.name}: ${problem}`);
  });
}

function partitionsIn(keys: ReadonlyMap<string, Stored>): readonly Partition[] {
  const partitions = new Map<string, Map<string, Map<string, Stored>>>();
  for (const [key, stored] of keys) {
    const [, name, kind, rest = ''] = keyForm.exec(key) ?? [];
    if (name === undefined || kind === undefined) continue;
    const kinds = partitions.get(name) ?? new Map<string, Map<string, Stored>>();
    partitions.set(name, kinds);
    const ofKind = kinds.get(kind) ?? new Map<string, Stored>();
    kinds.set(kind, ofKind);
    ofKind.set(rest, stored);
  }
  return [...partitions].map(([name, kinds]) => ({ name, kinds }));
}

function leaseProblems(
  scores: Readonly<Record<string, number>>,
  live: ReadonlySet<string>,
  liveNodes: number,
): readonly string[] {
  return [
    ...Object.entries(scores)
      .filter(([holder]) => !live.has(holder))
      .map(([holder, score]) => `${holder} has a lease that is ${score === 0 ? 'fenced' : 'over'}`),
    ...(live.size === liveNodes
      ? []
      : [`${live.size} leases of ${liveNodes} nodes: ${[...live].join(', ')}`]),
  ];
}

/** Every entry that a holder has anywhere. */
function holderProblems(partition: Partition, live: ReadonlySet<string>): readonly string[] {
  const indexes = ['ic', 'iu', 'is', 'qa'].flatMap((kind) =>
    [...ofKind(partition, kind).keys()].map((holder) => [`${kind}:${holder}`, holder] as const),
  );
  const batches = ['b', 'r'].flatMap((kind) =>
    Object.keys(hash(partition, kind)).map((holder) => [`${kind} ${holder}`, holder] as const),
  );
  const fences = Object.keys(hash(partition, 'dx')).map((field) => `dx ${field} is left of a dead holder`);
  const shares = hashes(partition, 'q').flatMap(([app, fields]) =>
    Object.keys(fields).map((holder) => [`q:${app} ${holder}`, holder] as const),
  );
  const dead = [...indexes, ...batches, ...shares].filter(([, holder]) => !live.has(holder));
  return [...fences, ...dead.map(([entry]) => `${entry} is of a holder that is not alive`)];
}

function channelProblems(partition: Partition, live: ReadonlySet<string>): readonly string[] {
  const held = sumsOf(partition, 'ic');
  const problems = hashes(partition, 'c').flatMap(([channel, fields]) => {
    const holders = Object.entries(fields).filter(([field]) => !field.startsWith('#'));
    const subscriptions = holders.reduce((sum, [, count]) => sum + Number(count), 0);
    const [app = '', name = ''] = splitOnce(channel);
    const isIndexed = setItems(partition, `n:${app}`).includes(name);
    const present = Object.values(hash(partition, `u:${channel}`)).filter((text) => holdersIn(text) > 0);
    return [
      ...holders.filter(([holder]) => !live.has(holder)).map(([holder]) => `holder ${holder} is not alive`),
      ...differs('#n', fields['#n'], holders.length),
      ...differs('#k', fields['#k'], subscriptions),
      ...differs('#m', fields['#m'], present.length),
      ...((held.get(channel) ?? 0) === holders.length ? [] : [`${held.get(channel) ?? 0} holders index it`]),
      ...(holders.length > 0 && fields['#o'] === undefined ? ['occupied was never told'] : []),
      ...(holders.length === 0 && fields['#o'] !== undefined ? ['vacated was never told'] : []),
      ...(holders.length > 0 === isIndexed
        ? []
        : [`it is ${isIndexed ? '' : 'not '}in the index of its app`]),
      ...(holders.length === 0 && !isExpiring(partition, channel) ? ['it is vacant and never expires'] : []),
      ...(holders.length > 0 && isExpiring(partition, channel) ? ['it is occupied and expires'] : []),
    ].map((problem) => `channel ${channel}: ${problem}`);
  });
  const known = ofKind(partition, 'c');
  const unknown = [...held.keys()].filter((channel) => !known.has(channel));
  return [...problems, ...unknown.map((channel) => `channel ${channel} is held and has no state`)];
}

function memberProblems(partition: Partition): readonly string[] {
  const held = sumsOf(partition, 'iu');
  const problems = hashes(partition, 'u').flatMap(([channel, users]) =>
    Object.entries(users).flatMap(([user, text]) => {
      const told = holdersIn(text);
      const indexed = held.get(`${channel}:${user}`) ?? 0;
      held.delete(`${channel}:${user}`);
      if (told === 0) return [`member ${channel}:${user} was never told to have gone`];
      return told === indexed ? [] : [`member ${channel}:${user} has ${told} holders, ${indexed} index it`];
    }),
  );
  return [...problems, ...[...held.keys()].map((member) => `member ${member} is held and not there`)];
}

function signInProblems(partition: Partition): readonly string[] {
  const held = sumsOf(partition, 'is');
  return hashes(partition, 's').flatMap(([app, users]) =>
    Object.entries(users)
      .filter(([user, count]) => Number(count) !== (held.get(`${app}:${user}`) ?? 0))
      .map(
        ([user, count]) =>
          `user ${app}:${user} has ${count} holders, ${held.get(`${app}:${user}`) ?? 0} index it`,
      ),
  );
}

function deadlineProblems(partition: Partition): readonly string[] {
  return Object.keys(zset(partition, 'g').scores).map((deadline) => `deadline ${deadline} has not fired`);
}

/** Records of batches, folded or replayed events, entries that nobody passed, dead letters. */
function laneProblems(partition: Partition): readonly string[] {
  const heads = hash(partition, 'h');
  const lanes = hashes(partition, 'l').flatMap(([lane, fields]) => {
    const [app = ''] = splitOnce(lane);
    const head = Number(heads[app] ?? 0);
    const recorded = Object.keys(fields).filter((field) => /^[bvy]:/.test(field));
    return [
      ...recorded.map((field) => `lane ${lane} holds the record ${field}`),
      ...((fields['bs'] ?? '') === '' ? [] : [`lane ${lane} has the batches ${fields['bs']}`]),
      ...(Number(fields['pos'] ?? 0) === head ? [] : [`lane ${lane} is at ${fields['pos']} of ${head}`]),
    ];
  });
  const lists = ['fo', 'rf'].flatMap((kind) =>
    [...ofKind(partition, kind)].flatMap(([lane, stored]) =>
      stored.type === 'list' && stored.length > 0 ? [`${kind}:${lane} holds ${stored.length} events`] : [],
    ),
  );
  const dead = hashes(partition, 'dl').map(
    ([lane, letters]) => `lane ${lane} holds ${Object.keys(letters).length} dead letters`,
  );
  return [...lanes, ...lists, ...dead];
}

/** How many holders have each entry in their index. */
function sumsOf(partition: Partition, kind: 'ic' | 'iu' | 'is'): Map<string, number> {
  const sums = new Map<string, number>();
  for (const stored of ofKind(partition, kind).values()) {
    for (const entry of stored.type === 'set' ? stored.items : [])
      sums.set(entry, (sums.get(entry) ?? 0) + 1);
  }
  return sums;
}

function ofKind({ kinds }: Partition, kind: string): ReadonlyMap<string, Stored> {
  return kinds.get(kind) ?? new Map();
}

function hashes(
  partition: Partition,
  kind: string,
): readonly (readonly [string, Readonly<Record<string, string>>])[] {
  return [...ofKind(partition, kind)].flatMap(([rest, stored]) =>
    stored.type === 'hash' ? [[rest, stored.fields] as const] : [],
  );
}

/** By its name behind the partition, such as `dx` or `u:<app>:<channel>`; empty when it is not there. */
function at(partition: Partition, name: string): Stored | undefined {
  const [kind = '', rest = ''] = splitOnce(name);
  return ofKind(partition, kind).get(rest);
}

function hash(partition: Partition, name: string): Readonly<Record<string, string>> {
  const stored = at(partition, name);
  return stored?.type === 'hash' ? stored.fields : {};
}

function zset(partition: Partition, name: string): { readonly scores: Readonly<Record<string, number>> } {
  const stored = at(partition, name);
  return stored?.type === 'zset' ? stored : { scores: {} };
}

function setItems(partition: Partition, name: string): readonly string[] {
  const stored = at(partition, name);
  return stored?.type === 'set' ? stored.items : [];
}

function isExpiring(partition: Partition, channel: string): boolean {
  const stored = at(partition, `c:${channel}`);
  return stored?.type === 'hash' && stored.expires;
}

/** `<n>|…`: the holders that have the member; 0 while its leave waits for a return. */
function holdersIn(text: string): number {
  return Number(text.slice(0, text.indexOf('|')));
}

function differs(what: string, stored: string | undefined, counted: number): readonly string[] {
  return Number(stored ?? 0) === counted ? [] : [`${what} is ${stored ?? 'missing'}, counted ${counted}`];
}

function splitOnce(text: string): readonly string[] {
  const colon = text.indexOf(':');
  return colon === -1 ? [text] : [text.slice(0, colon), text.slice(colon + 1)];
}
