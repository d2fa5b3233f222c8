-- The outboxes of this partition as a whole: what lies in them, and what is let go.
--
-- ARGV: mode ...; see `modes`. Bytes are an estimate: `ob` says how many were appended, `ot` how many of them are gone, by
-- the mean of the entries that were there.

local mode = ARGV[2]

local function number(text)
  return tonumber(text) or 0
end

local function streamOf(app)
  return K .. ':o:' .. app
end

local function laneOf(app, endpoint)
  return K .. ':l:' .. app .. ':' .. endpoint
end

local function headOf(app)
  return number(redis.call('HGET', K .. ':h', app))
end

local function streamBytes(app)
  return number(redis.call('HGET', K .. ':ob', app)) - number(redis.call('HGET', K .. ':ot', app))
end

-- endpoint -> '' or when it was retired, as pairs.
local function endpointsOf(app)
  return redis.call('HGETALL', K .. ':ep:' .. app)
end

-- The batches of a lane: how many events they hold, and when the oldest of them entered.
local function recorded(lane)
  local events, oldest = 0, nil
  for id in string.gmatch(redis.call('HGET', lane, 'bs') or '', '%S+') do
    local count, at = string.match(redis.call('HGET', lane, 'b:' .. id), '^%d+|%d+|%d*|%d|(%d+)|(%d+)|')
    events = events + number(count)
    oldest = oldest or number(at)
  end
  return events, oldest
end

local function atMsOf(entry)
  for at = 1, #entry[2], 2 do
    if entry[2][at] == 't' then
      return tonumber(entry[2][at + 1])
    end
  end
end

local function oldestOf(app, lane, folded, pos)
  local _, oldest = recorded(lane)
  if oldest then
    return oldest
  end
  local first = redis.call('LINDEX', folded, 0)
  if first then
    return cjson.decode(first).atMs
  end
  local entry = redis.call('XRANGE', streamOf(app), string.format('%.0f', pos + 1), '+', 'COUNT', 1)[1]
  return entry and atMsOf(entry) or 0
end

-- What one endpoint has here; see `modes.backlogs`.
local function backlogOf(app, endpoint, closedAt)
  local name = app .. ':' .. endpoint
  local lane, folded = laneOf(app, endpoint), K .. ':fo:' .. name
  local values = redis.call('HMGET', lane, 'pos', 'fb', 'bb', 'lo')
  local pos = number(values[1])
  local behind = headOf(app) - pos
  local length = redis.call('XLEN', streamOf(app))
  local bytes = length > 0 and math.floor(streamBytes(app) * behind / length) or 0
  local inBatches = recorded(lane)
  local replay = K .. ':rl:' .. name
  return {
    app,
    endpoint,
    closedAt,
    redis.call('LLEN', folded) + behind,
    inBatches,
    bytes + number(values[2]) + number(values[3]),
    oldestOf(app, lane, folded, pos),
    redis.call('ZCARD', K .. ':dz:' .. name),
    number(values[4]),
    pos,
    redis.call('LLEN', K .. ':rf:' .. name),
    (redis.call('HGET', replay, 'bs') or '') == '' and 0 or 1,
    redis.call('LLEN', folded),
    headOf(app),
  }
end

-- Bytes of an app here: its entries, what was folded and the bodies of batches.
local function heldBytes(app)
  local bytes = streamBytes(app)
  local endpoints = endpointsOf(app)
  for at = 1, #endpoints, 2 do
    for _, kind in ipairs({ ':l:', ':rl:' }) do
      local values = redis.call('HMGET', K .. kind .. app .. ':' .. endpoints[at], 'fb', 'bb')
      bytes = bytes + number(values[1]) + number(values[2])
    end
  end
  return bytes
end

-- The last entry that every lane has passed.
local function lowest(app)
  local low = headOf(app)
  local endpoints = endpointsOf(app)
  for at = 1, #endpoints, 2 do
    low = math.min(low, number(redis.call('HGET', laneOf(app, endpoints[at]), 'pos')))
  end
  return low
end

-- The number of the oldest entry that is kept; behind the last when none is.
local function firstOf(app)
  local entry = redis.call('XRANGE', streamOf(app), '-', '+', 'COUNT', 1)[1]
  return entry and tonumber(string.match(entry[1], '^%d+')) or headOf(app) + 1
end

-- Lets the entries up to and with this one go.
local function cut(app, upTo)
  local length = redis.call('XLEN', streamOf(app))
  local gone = redis.call('XTRIM', streamOf(app), 'MINID', string.format('%.0f', upTo + 1))
  if gone > 0 then
    local bytes = gone == length and streamBytes(app) or math.floor(streamBytes(app) * gone / length)
    redis.call('HINCRBY', K .. ':ot', app, string.format('%.0f', bytes))
  end
end

local modes = {}

-- app ('' for all) -> OK {app endpoint closedAt pending recorded bytes oldest dead leftOut pos replays hasReplayBatch folded head}…
function modes.backlogs(only)
  local reply = { 'OK' }
  for _, app in ipairs(only == '' and redis.call('SMEMBERS', K .. ':ea') or { only }) do
    local endpoints = endpointsOf(app)
    for at = 1, #endpoints, 2 do
      reply[#reply + 1] = backlogOf(app, endpoints[at], endpoints[at + 1])
    end
  end
  return reply
end

-- app from limit -> OK {entries}: of the stream, from this number on.
function modes.entries(app, from, limit)
  return { 'OK', redis.call('XRANGE', streamOf(app), from, '+', 'COUNT', limit) }
end

-- app -> OK {endpoint start pos {id meta events …}}…
function modes.lanes(app)
  local reply = { 'OK' }
  local endpoints = endpointsOf(app)
  for at = 1, #endpoints, 2 do
    local lane = laneOf(app, endpoints[at])
    local batches = {}
    for id in string.gmatch(redis.call('HGET', lane, 'bs') or '', '%S+') do
      local batch = redis.call('HMGET', lane, 'b:' .. id, 'v:' .. id)
      batches[#batches + 1] = id
      batches[#batches + 1] = batch[1]
      batches[#batches + 1] = batch[2]
    end
    local values = redis.call('HMGET', lane, 'start', 'pos')
    reply[#reply + 1] = { endpoints[at], number(values[1]), number(values[2]), batches }
  end
  return reply
end

-- app endpoint offset limit -> OK {events}
function modes.folded(app, endpoint, offset, limit)
  return { 'OK', redis.call('LRANGE', K .. ':fo:' .. app .. ':' .. endpoint, offset, offset + limit - 1) }
end

-- app endpoint offset limit -> OK {letters}, oldest first
function modes.dead(app, endpoint, offset, limit)
  local name = app .. ':' .. endpoint
  local letters = {}
  for _, id in ipairs(redis.call('ZRANGE', K .. ':dz:' .. name, offset, offset + limit - 1)) do
    letters[#letters + 1] = redis.call('HGET', K .. ':dl:' .. name, id)
  end
  return { 'OK', letters }
end

-- holder app maxBytes beforeMs limit -> OK held head isMore: lets entries go that every lane has passed: what is older than
-- `beforeMs`, and as many as it takes to hold no more than `maxBytes`; for the first at most `limit` are looked at.
function modes.trim(holder, app, maxBytes, beforeMs, limit)
  if not owns(holder) then
    return { 'NONE' }
  end
  local passed, first = lowest(app), firstOf(app)
  local upTo, isMore = first - 1, 0
  if beforeMs ~= '0' then
    local old = redis.call('XRANGE', streamOf(app), '-', string.format('%.0f', passed), 'COUNT', limit)
    for _, entry in ipairs(old) do
      if atMsOf(entry) >= tonumber(beforeMs) then
        break
      end
      upTo = tonumber(string.match(entry[1], '^%d+'))
    end
    isMore = #old > 0 and upTo - first + 1 == #old and 1 or 0
  end
  local held = heldBytes(app)
  if held > tonumber(maxBytes) and passed >= first then
    local mean = streamBytes(app) / redis.call('XLEN', streamOf(app))
    local over = held - (tonumber(maxBytes) - tonumber(maxBytes) / 32)
    upTo = math.max(upTo, math.min(passed, first - 1 + math.ceil(over / math.max(1, mean))))
  end
  if upTo >= first then
    cut(app, upTo)
  end
  return { 'OK', heldBytes(app), headOf(app), isMore, streamBytes(app) }
end

-- holder app endpoint beforeMs limit -> OK gone: dead letters that were kept long enough.
function modes.expire(holder, app, endpoint, beforeMs, limit)
  if not owns(holder) then
    return { 'NONE' }
  end
  local name = app .. ':' .. endpoint
  local before = '(' .. string.format('%.0f', tonumber(beforeMs) * 1000)
  local old = redis.call('ZRANGEBYSCORE', K .. ':dz:' .. name, '-inf', before, 'LIMIT', 0, limit)
  for _, id in ipairs(old) do
    redis.call('HINCRBY', laneOf(app, endpoint), 'db', 0 - redis.call('HSTRLEN', K .. ':dl:' .. name, id))
    redis.call('HDEL', K .. ':dl:' .. name, id)
    redis.call('ZREM', K .. ':dz:' .. name, id)
  end
  return { 'OK', #old }
end

-- holder app endpoint cursor -> OK cursor: forgets the seq of channels that are known no more. What was told of them has been
-- given up before: a channel is known for as long as its last event is kept.
function modes.seqs(holder, app, endpoint, cursor)
  if not owns(holder) then
    return { 'NONE' }
  end
  local sent = K .. ':sq:' .. app .. ':' .. endpoint
  local found = redis.call('HSCAN', sent, cursor, 'COUNT', 200)
  for at = 1, #found[2], 2 do
    if redis.call('EXISTS', K .. ':c:' .. app .. ':' .. found[2][at]) == 0 then
      redis.call('HDEL', sent, found[2][at])
    end
  end
  return { 'OK', found[1] }
end

-- holder app endpoint beforeMs -> OK lost: a retired endpoint is forgotten; `lost` are the events it was never told.
function modes.forget(holder, app, endpoint, beforeMs)
  local closedAt = redis.call('HGET', K .. ':ep:' .. app, endpoint)
  if not owns(holder) or not closedAt or closedAt == '' or tonumber(closedAt) >= tonumber(beforeMs) then
    return { 'NONE' }
  end
  local backlog = backlogOf(app, endpoint, closedAt)
  local name = app .. ':' .. endpoint
  for _, kind in ipairs({ ':l:', ':fo:', ':sq:', ':dl:', ':dz:', ':rl:', ':rf:' }) do
    redis.call('UNLINK', K .. kind .. name)
  end
  redis.call('HDEL', K .. ':ep:' .. app, endpoint)
  if redis.call('HLEN', K .. ':ep:' .. app) == 0 then
    cut(app, headOf(app))
    redis.call('SREM', K .. ':ea', app)
  end
  return { 'OK', backlog[4] + backlog[5] + backlog[8] }
end

return modes[mode](unpack(ARGV, 3))
