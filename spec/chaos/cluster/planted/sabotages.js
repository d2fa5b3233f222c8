import { createHmac } from 'node:crypto';
import { Webhook } from 'standardwebhooks';

/**
 * Nodes that break a promise each, by name. `patches`: other passages in the scripts; `linkOf`: another link, made of the
 * product's class; `postOf`: another way to post; `onParts`: what is done to the parts of a node once it runs.
 */
export const sabotages = {
  'appends-later': {
    patches: {
      prelude: [
        [
          'local function append(app, fields)\n',
          `local later = {}
local function append(app, fields)
  if later then return table.insert(later, { app, unpack(fields) }) end
`,
        ],
      ],
      apply: [
        [
          "return answer('OK', replies)",
          "local reply = answer('OK', replies)\ntable.insert(reply, cjson.encode(later))\nreturn reply",
        ],
      ],
      fire: [
        [
          "return { 'OK', #due, nextDeadline(), store.writes }",
          "return { 'OK', #due, nextDeadline(), store.writes, cjson.encode(later) }",
        ],
      ],
      reap: [
        [
          "return { 'OK', left, taken, nextDeadline(), store.writes }",
          "return { 'OK', left, taken, nextDeadline(), store.writes, cjson.encode(later) }",
        ],
      ],
      append: `local entries = cjson.decode(ARGV[2])
later = nil
for _, entry in ipairs(entries) do append(entry[1], { unpack(entry, 2) }) end
wakeOwner()
return { 'OK' }
`,
    },
    linkOf: appendingLater,
  },
  'grace-in-memory': {
    patches: {
      prelude: [
        ['local function isEmpty(channel)\n', 'local armed = {}\n\nlocal function isEmpty(channel)\n'],
        [
          "redis.call('ZADD', K .. ':g', leave.atMs + leave.graceMs, 'v:' .. channel.id)",
          "table.insert(armed, 'v:' .. channel.id)",
        ],
        [
          "redis.call('ZADD', K .. ':g', leave.atMs + leave.graceMs, 'm:' .. channel.id .. ':' .. user)",
          "table.insert(armed, 'm:' .. channel.id .. ':' .. user)",
        ],
      ],
      apply: [
        [
          "return answer('OK', replies)",
          "local reply = answer('OK', replies)\ntable.insert(reply, cjson.encode(armed))\nreturn reply",
        ],
      ],
      reap: [
        [
          "return { 'OK', left, taken, nextDeadline(), store.writes }",
          "return { 'OK', left, taken, nextDeadline(), store.writes, cjson.encode(armed) }",
        ],
      ],
      fire: [
        [
          'if refusal then return refusal end\n',
          `if refusal then return refusal end
for index = 7, #ARGV do redis.call('ZADD', K .. ':g', now(), ARGV[index]) end
`,
        ],
      ],
    },
    linkOf: holdingGrace,
  },
  'ignores-failed-enqueue': {
    patches: {
      prelude: [
        [
          "redis.call('XADD', K .. ':o:' .. app, head .. '-0', unpack(fields))",
          // No entry may have the number 0.
          "redis.pcall('XADD', K .. ':o:' .. app, (head % 7 == 0 and 0 or head) .. '-0', unpack(fields))",
        ],
      ],
    },
  },
  'ignores-delivery-result': {
    postOf:
      (post) =>
      async (...request) => {
        await post(...request);
        return { kind: 'answered', status: 200 };
      },
  },
  'reaps-members-only': {
    patches: {
      reap: [
        [
          'channelDown(channelOf(app, name, other), leave)',
          "if string.sub(name, 1, 9) == 'presence-' then channelDown(channelOf(app, name, other), leave) end",
        ],
      ],
    },
  },
  'shares-batches': { postOf: withEventsOfOthers },
  'ignores-filters': {
    onParts: ({ endpoints }) => {
      for (const endpoint of endpoints.all()) Object.assign(endpoint, { takes: () => true });
    },
  },
};

/** So long that a kill comes between the two. */
const secondCommandMs = 500;
const appending = new Set(['apply', 'fire', 'reap']);

/** What the script would have appended is appended with a call of its own, once the script was answered. */
function appendingLater(RedisLink) {
  return class extends RedisLink {
    async run(script, partition, args) {
      const reply = await super.run(script, partition, args);
      if (!appending.has(script) || reply[0] !== 'OK') return reply;
      const entries = reply.at(-1);
      if (entries !== '{}')
        setTimeout(() => forget(super.run('append', partition, [entries])), secondCommandMs);
      return reply.slice(0, -1);
    }
  };
}

/** Where arguments are that a fire needs: holder, id of the store, grace and retention. */
const argumentsOf = { apply: [0, 1, 3, 4], reap: [0, 2, 4, 5] };

/** What the script would have armed fires by a timer of this node. */
function holdingGrace(RedisLink) {
  return class extends RedisLink {
    async run(script, partition, args) {
      const reply = await super.run(script, partition, args);
      const places = argumentsOf[script];
      if (places === undefined || reply[0] !== 'OK') return reply;
      const [holder, storeId, graceMs, retainMs] = places.map((place) => args[place]);
      const deadlines = JSON.parse(reply.at(-1));
      if (Array.isArray(deadlines)) {
        const fire = [holder, storeId, 256, retainMs, 0, ...deadlines];
        setTimeout(() => forget(super.run('fire', partition, fire)), Number(graceMs));
      }
      return reply.slice(0, -1);
    }
  };
}

/** That nobody looks at what came of it is the fault. */
function forget(call) {
  call.catch(() => undefined);
}

/** Every request carries what was last posted for the other app, too; rightly signed. */
function withEventsOfOthers(post, { apps }) {
  const last = new Map();
  return (endpoint, headers, body) => {
    const { secret } = apps.find(({ id }) => id === endpoint.appId);
    const payload = JSON.parse(body.toString());
    const others = [...last].filter(([app]) => app !== endpoint.appId).flatMap(([, events]) => events);
    last.set(endpoint.appId, payload.events);
    const text = JSON.stringify({ ...payload, events: [...payload.events, ...others] });
    const at = new Date(Number(headers['webhook-timestamp']) * 1000);
    const standard = new Webhook(Buffer.from(secret).toString('base64'));
    const signed = {
      ...headers,
      'content-length': String(Buffer.byteLength(text)),
      'x-pusher-signature': createHmac('sha256', secret).update(text).digest('hex'),
      'webhook-signature': standard.sign(headers['webhook-id'], at, text),
    };
    return post(endpoint, signed, Buffer.from(text));
  };
}
