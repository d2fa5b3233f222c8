import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { type ScriptName, scriptNames } from '../../../lib/redis/script-names.ts';
import type { Reply } from '../../../lib/redis/store-link.ts';
import { canonicalFields, canonicalReply, canonicalText } from './canonical.ts';
import { type Dump, type Dumped, withoutNothing } from './dump.ts';

/** The one partition of these comparisons. */
const partitionKey = 'm{0}';
/** Where what it has is kept, as on a replica. */
const savedKey = 'saved{0}';

/**
 * Stands before every script: what Redis does at its own discretion, it does by rule here. The time is the first argument
 * alone, keys expire by it, and sets have the order of their bytes.
 */
const determined = `
local real = redis
local virtualNow = tonumber(ARGV[1])
local expiries = 'expiries${partitionKey}'

local function byBytes(a, b)
  for at = 1, math.min(#a, #b) do
    local x, y = string.byte(a, at), string.byte(b, at)
    if x ~= y then return x < y end
  end
  return #a < #b
end

local function sorted(key)
  local members = real.call('SMEMBERS', key)
  table.sort(members, byBytes)
  return members
end

local function pop(key, count)
  local taken = {}
  for index, member in ipairs(sorted(key)) do
    if index <= tonumber(count) then
      real.call('SREM', key, member)
      table.insert(taken, member)
    end
  end
  return taken
end

local function expire(key, ms)
  if real.call('EXISTS', key) == 1 then real.call('HSET', expiries, key, virtualNow + ms) end
end

local function set(key, value, ...)
  local options, ms = {}, nil
  local given = { ... }
  for index, option in ipairs(given) do
    if option == 'PX' then ms = given[index + 1] elseif given[index - 1] ~= 'PX' then table.insert(options, option) end
  end
  local done = real.call('SET', key, value, unpack(options))
  if not done then return done end
  real.call('HDEL', expiries, key)
  if ms then expire(key, ms) end
  return done
end

local function timeToLive(key)
  local expiry = real.call('HGET', expiries, key)
  if expiry then return tonumber(expiry) - virtualNow end
  return real.call('EXISTS', key) == 1 and -1 or -2
end

local function delete(...)
  real.call('HDEL', expiries, ...)
  return real.call('DEL', ...)
end

local expired = real.call('HGETALL', expiries)
for index = 1, #expired, 2 do
  if tonumber(expired[index + 1]) <= virtualNow then delete(expired[index]) end
end

local rules = {
  TIME = function() return { '0', '0' } end,
  SMEMBERS = sorted,
  SPOP = pop,
  SET = set,
  PEXPIRE = expire,
  PERSIST = function(key) return real.call('HDEL', expiries, key) end,
  PTTL = timeToLive,
  DEL = delete,
  UNLINK = delete,
}
local redis = {
  call = function(command, ...)
    if rules[command] then return rules[command](...) end
    return real.call(command, ...)
  end,
  error_reply = real.error_reply,
  status_reply = real.status_reply,
}
`;

/** Everything there is, key by key: type, whether it expires, and its items as name and value in turn. */
const dumpScript = `
local read = {
  string = function(key) return { '', real.call('GET', key) } end,
  hash = function(key) return real.call('HGETALL', key) end,
  zset = function(key) return real.call('ZRANGE', key, 0, -1, 'WITHSCORES') end,
  set = function(key)
    local items = {}
    for _, member in ipairs(real.call('SMEMBERS', key)) do
      table.insert(items, member)
      table.insert(items, '')
    end
    return items
  end,
  list = function(key)
    local items = {}
    for place, item in ipairs(real.call('LRANGE', key, 0, -1)) do
      table.insert(items, tostring(place - 1))
      table.insert(items, item)
    end
    return items
  end,
  stream = function(key)
    local items = {}
    for _, entry in ipairs(real.call('XRANGE', key, '-', '+')) do
      table.insert(items, entry[1])
      table.insert(items, cjson.encode(entry[2]))
    end
    return items
  end,
}
local keys = {}
for _, key in ipairs(real.call('KEYS', 'm{0}*')) do
  local type = real.call('TYPE', key).ok
  table.insert(keys, { key, type, real.call('HEXISTS', expiries, key), read[type](key) })
end
return keys
`;

/** Copies every key from one place to another, where nothing is left of what was there. */
const copyScript = `
local from, to = ARGV[2], ARGV[3]
for _, key in ipairs(real.call('KEYS', to .. '*')) do real.call('DEL', key) end
for _, key in ipairs(real.call('KEYS', from .. '*')) do real.call('COPY', key, to .. string.sub(key, #from + 1)) end
if real.call('EXISTS', 'expiries' .. from) == 1 then
  real.call('COPY', 'expiries' .. from, 'expiries' .. to, 'REPLACE')
else
  real.call('DEL', 'expiries' .. to)
end
return 'OK'
`;

export type StoreCommand =
  | {
      readonly do: 'run';
      readonly script: ScriptName;
      readonly args: readonly (string | number)[];
      readonly atMs: number;
    }
  | { readonly do: 'save' }
  | { readonly do: 'fallBack' }
  | { readonly do: 'wipe' }
  | { readonly do: 'dump'; readonly atMs: number };

export interface Heard {
  readonly topic: string;
  readonly message: string;
}

export interface History {
  /** Of each command: what the script answered or failed with, or the dump. */
  readonly answers: readonly (Reply | Error | Dump)[];
  readonly heard: readonly Heard[];
}

/** The scripts as they are, on a real server, in a history that is told in one go. */
export class RealStore {
  readonly #commands: Redis;
  readonly #listening: Redis;
  readonly #digests = new Map<string, string>();
  #heard: Heard[] = [];
  #told: () => void = () => undefined;

  constructor(port: number) {
    this.#commands = new Redis({ port, host: '127.0.0.1' });
    this.#listening = new Redis({ port, host: '127.0.0.1' });
    this.#listening.on('pmessage', (_pattern, topic, message) => {
      if (topic === 'told') this.#told();
      else this.#heard.push({ topic: topic.replace(`${partitionKey}:t:`, ''), message });
    });
  }

  async open(): Promise<void> {
    await this.#listening.psubscribe('*');
    for (const name of scriptNames) this.#digests.set(name, await this.#load(textOf(name)));
    this.#digests.set('copy', await this.#load(`${determined}\n${copyScript}`));
    this.#digests.set('dump', await this.#load(`${determined}\n${dumpScript}`));
  }

  /** From an empty store on. */
  async tell(commands: readonly StoreCommand[]): Promise<History> {
    this.#heard = [];
    const isTold = new Promise<void>((resolve) => {
      this.#told = resolve;
    });
    const pipeline = this.#commands.pipeline().flushdb();
    for (const command of commands) {
      if (command.do === 'run') {
        pipeline.evalsha(this.#digest(command.script), 1, partitionKey, command.atMs, ...command.args);
      } else if (command.do === 'dump') pipeline.evalsha(this.#digest('dump'), 0, command.atMs);
      else if (command.do === 'wipe') pipeline.flushdb();
      else if (command.do === 'save') pipeline.evalsha(this.#digest('copy'), 0, 0, partitionKey, savedKey);
      else pipeline.evalsha(this.#digest('copy'), 0, 0, savedKey, partitionKey);
    }
    const results = (await pipeline.publish('told', '').exec()) ?? [];
    await isTold;
    const answers = results.slice(1, -1).map(([error, answer], index) => {
      if (error !== null) return error;
      return commands[index]?.do === 'dump' ? dumpOf(answer as KeyDump[]) : canonicalReply(answer as Reply);
    });
    return { answers, heard: this.#heard };
  }

  close(): void {
    this.#commands.disconnect();
    this.#listening.disconnect();
  }

  #digest(name: string): string {
    const digest = this.#digests.get(name);
    if (digest === undefined) throw new Error(`there is no script ${name}`);
    return digest;
  }

  async #load(text: string): Promise<string> {
    return (await this.#commands.script('LOAD', text)) as string;
  }
}

function textOf(name: ScriptName): string {
  const [prelude, body] = ['prelude', name].map((file) =>
    readFileSync(`lib/redis/scripts/${file}.lua`, 'utf8'),
  );
  return `${determined}\n${prelude}\n${body}`;
}

type KeyDump = readonly [key: string, type: string, isExpiring: number, items: readonly string[]];

function dumpOf(keys: readonly KeyDump[]): Dump {
  const dump: Record<string, Dumped> = {};
  for (const [key, type, isExpiring, items] of keys) {
    const name = key.slice(partitionKey.length);
    const texts =
      type === 'stream' ? items.map(entryText) : type === 'list' ? items.map(canonicalText) : items;
    const pairs = texts.flatMap((item, at) => (at % 2 === 0 ? [[item, texts[at + 1] ?? ''] as const] : []));
    const told = withoutNothing(name, Object.fromEntries(pairs));
    // A stream of which everything was trimmed is still there.
    if (Object.keys(told).length === 0) continue;
    dump[name] = { type, isExpiring: isExpiring === 1, items: told };
  }
  return dump;
}

/** Of ids and fields in turn. */
function entryText(item: string, at: number): string {
  return at % 2 === 0 ? item : canonicalFields(JSON.parse(item) as string[]);
}
