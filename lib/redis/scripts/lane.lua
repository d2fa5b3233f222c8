-- One endpoint's way through this partition, or its replay lane, which lies in the partition of its id. Only the partition's
-- owner reads it or changes it; whoever is not gets NONE, as for a lane that is not there.
--
-- ARGV: mode holder app endpoint lane('log' | 'replay') ...; see `modes`. What lies before the lane: the list of folded events
-- (all there is on a replay lane), then the entries of the stream behind `pos`. The first of them has the position
-- `first`. The hash of the lane:
--   pos   number of the last entry that was passed; on a replay lane how many events were
--   start `pos` when the lane began: what is older was never meant for it
--   tok   names the state: whoever changes what was read raises it
--   bs    ids of the recorded batches in order, each followed by a space; for each of them
--         b:<id> `<created ms>|<failures>|<refused since ms, or ''>|<1: made by a split>|<events>|<oldest event ms>|<last failure>`
--         v:<id> its events, y:<id> the bytes of its body, s:<id> `<channel> <epoch> <seq>` for each channel, in lines
--   fb    bytes of the folded events, bb bytes of the bodies, lo events that folding left out, dn last number of a dead letter

local mode, holder, app, endpoint = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local isReplay = ARGV[6] == 'replay'
local name = app .. ':' .. endpoint
local lane = K .. (isReplay and ':rl:' or ':l:') .. name
local folded = K .. (isReplay and ':rf:' or ':fo:') .. name
local stream = K .. ':o:' .. app
local letters, letterTimes = K .. ':dl:' .. name, K .. ':dz:' .. name

local function numberOf(field)
  return tonumber(redis.call('HGET', lane, field)) or 0
end

local function head()
  return tonumber(redis.call('HGET', K .. ':h', app)) or 0
end

local function firstPosition(pos, length)
  return isReplay and pos + 1 or pos - length + 1
end

local function firstBatch()
  return string.match(redis.call('HGET', lane, 'bs') or '', '^(%S+) ')
end

-- What the owner has to know to go on: how many events wait, and whether a batch does.
local function state(word)
  local pending = redis.call('LLEN', folded)
  if not isReplay then
    pending = pending + head() - numberOf('pos')
  end
  return { word, numberOf('tok'), pending, firstBatch() and 1 or 0, numberOf('pos'), redis.call('LLEN', folded) }
end

-- Takes the events up to and with this position away.
local function advance(upTo)
  local pos, length = numberOf('pos'), redis.call('LLEN', folded)
  local taken = math.max(0, math.min(length, upTo + 1 - firstPosition(pos, length)))
  if taken > 0 then
    local bytes = taken == length and 0 or math.floor(numberOf('fb') * (length - taken) / length)
    redis.call('LTRIM', folded, taken, -1)
    redis.call('HSET', lane, 'fb', bytes)
  end
  if isReplay then
    redis.call('HINCRBY', lane, 'pos', taken)
  else
    redis.call('HSET', lane, 'pos', math.max(pos, math.min(upTo, head())))
  end
  redis.call('HINCRBY', lane, 'tok', 1)
end

local function meta(created, count, oldest, isSplit)
  return created .. '|0||' .. isSplit .. '|' .. count .. '|' .. oldest .. '|'
end

local function put(id, text, seqs, events, body)
  redis.call('HSET', lane, 'b:' .. id, text, 's:' .. id, seqs, 'v:' .. id, events, 'y:' .. id, body)
  redis.call('HINCRBY', lane, 'bb', #body)
end

-- The batch with this id, if it is there, gives its place to these ids.
local function replace(id, ids)
  local before = redis.call('HGET', lane, 'bs')
  local from, to = string.find(' ' .. before, ' ' .. id .. ' ', 1, true)
  redis.call('HINCRBY', lane, 'bb', 0 - redis.call('HSTRLEN', lane, 'y:' .. id))
  redis.call('HDEL', lane, 'b:' .. id, 's:' .. id, 'v:' .. id, 'y:' .. id)
  redis.call('HSET', lane, 'bs', string.sub(before, 1, from - 1) .. ids .. string.sub(before, to))
end

local function isRecorded(id)
  return redis.call('HEXISTS', lane, 'b:' .. id) == 1
end

local function forgetLetter(id)
  redis.call('HINCRBY', lane, 'db', 0 - redis.call('HSTRLEN', letters, id))
  redis.call('HDEL', letters, id)
  redis.call('ZREM', letterTimes, id)
end

-- Keeps events as dead letters: pairs of an id and JSON in ARGV from `at` on; of those of one endpoint at most `maxBytes`, the
-- newest. Answers how many had to go.
local function bury(at, maxBytes)
  local number = math.max(numberOf('dn'), now() * 1000)
  for index = at, #ARGV, 2 do
    number = number + 1
    local size = redis.call('HSTRLEN', letters, ARGV[index])
    redis.call('HSET', letters, ARGV[index], ARGV[index + 1])
    redis.call('ZADD', letterTimes, number, ARGV[index])
    redis.call('HINCRBY', lane, 'db', #ARGV[index + 1] - size)
  end
  redis.call('HSET', lane, 'dn', string.format('%.0f', number))
  local gone = 0
  local room = numberOf('db') > maxBytes and maxBytes - maxBytes / 32 or maxBytes
  while numberOf('db') > room do
    local oldest = redis.call('ZRANGE', letterTimes, 0, 0)[1]
    if not oldest then
      break
    end
    forgetLetter(oldest)
    gone = gone + 1
  end
  return gone
end

-- The last seq that the endpoint took of each channel.
local function took(seqs)
  for channel, last in string.gmatch(seqs, '(%S+) (%S+ %d+)') do
    redis.call('HSET', K .. ':sq:' .. name, channel, last)
  end
end

local function channelsOf(foldedEvents, entries)
  local channels, seen = {}, {}
  local function add(channel)
    if not seen[channel] then
      seen[channel] = true
      channels[#channels + 1] = channel
    end
  end
  for _, event in ipairs(foldedEvents) do
    add(cjson.decode(event).channel)
  end
  for _, entry in ipairs(entries) do
    local fields = entry[2]
    for index = 1, #fields, 2 do
      if fields[index] == 'c' then
        add(fields[index + 1])
        break
      end
    end
  end
  return channels
end

-- For each channel of these events that the endpoint took something of: the channel and the seq.
local function sentOf(foldedEvents, entries)
  local sent = {}
  local key = K .. ':sq:' .. name
  if isReplay or redis.call('EXISTS', key) == 0 then
    return sent
  end
  local channels = channelsOf(foldedEvents, entries)
  for at = 1, #channels, 1000 do
    local last = redis.call('HMGET', key, unpack(channels, at, math.min(at + 999, #channels)))
    for index, seq in ipairs(last) do
      if seq then
        sent[#sent + 1] = channels[at + index - 1]
        sent[#sent + 1] = seq
      end
    end
  end
  return sent
end

-- What lies before the lane, without the first `offset` events.
local function waiting(offset, limit)
  local length = redis.call('LLEN', folded)
  local foldedEvents = limit > 0 and redis.call('LRANGE', folded, offset, offset + limit - 1) or {}
  local entries = {}
  local room = limit - #foldedEvents
  if not isReplay and room > 0 then
    local from = numberOf('pos') + 1 + math.max(0, offset - length)
    entries = redis.call('XRANGE', stream, string.format('%.0f', from), '+', 'COUNT', room)
  end
  return foldedEvents, entries
end

-- Whether somebody who read the lane under this token may still move it.
local function mayMove(token)
  return redis.call('HGET', lane, 'tok') == token and not firstBatch()
end

local modes = {}

-- limit -> BATCH … id meta events body | EVENTS … first {folded} {entries} {channel, seq …}
function modes.read(limit)
  local id = firstBatch()
  if id then
    local batch = redis.call('HMGET', lane, 'b:' .. id, 'v:' .. id, 'y:' .. id)
    local reply = state('BATCH')
    for _, text in ipairs({ id, batch[1], batch[2], batch[3] }) do
      reply[#reply + 1] = text
    end
    return reply
  end
  local foldedEvents, entries = waiting(0, tonumber(limit))
  local reply = state('EVENTS')
  reply[#reply + 1] = firstPosition(numberOf('pos'), redis.call('LLEN', folded))
  reply[#reply + 1] = foldedEvents
  reply[#reply + 1] = entries
  reply[#reply + 1] = sentOf(foldedEvents, entries)
  return reply
end

-- offset limit -> EVENTS … first {folded} {entries} {}: whatever is recorded; for folding.
function modes.peek(offset, limit)
  local foldedEvents, entries = waiting(tonumber(offset), tonumber(limit))
  local reply = state('EVENTS')
  reply[#reply + 1] = firstPosition(numberOf('pos'), redis.call('LLEN', folded))
  reply[#reply + 1] = foldedEvents
  reply[#reply + 1] = entries
  reply[#reply + 1] = {}
  return reply
end

-- token upTo id created count oldest seqs events body
function modes.record(token, upTo, id, created, count, oldest, seqs, events, body)
  if not mayMove(token) then
    return { 'CHANGED' }
  end
  advance(tonumber(upTo))
  put(id, meta(created, count, oldest, 0), seqs, events, body)
  redis.call('HSET', lane, 'bs', id .. ' ')
  return state('OK')
end

-- token upTo
function modes.skip(token, upTo)
  if not mayMove(token) then
    return { 'CHANGED' }
  end
  advance(tonumber(upTo))
  return state('OK')
end

-- token upTo maxBytes (id letter)… -> OK … gone: skips, and keeps those that were meant for the endpoint.
function modes.expire(token, upTo, maxBytes)
  if not mayMove(token) then
    return { 'CHANGED' }
  end
  local gone = bury(10, tonumber(maxBytes))
  advance(tonumber(upTo))
  local reply = state('OK')
  reply[#reply + 1] = gone
  return reply
end

-- id: the batch is the endpoint's.
function modes.acknowledge(id)
  if not isRecorded(id) then
    return { 'CHANGED' }
  end
  if not isReplay then
    took(redis.call('HGET', lane, 's:' .. id))
  end
  replace(id, '')
  return state('OK')
end

-- id isRefusal reason
function modes.failed(id, isRefusal, reason)
  if not isRecorded(id) then
    return { 'CHANGED' }
  end
  local pattern = '^(%d+)|(%d+)|(%d*)|(%d)|(%d+)|(%d+)|'
  local created, failures, since, isSplit, count, oldest = string.match(redis.call('HGET', lane, 'b:' .. id), pattern)
  if isRefusal == '0' then
    since = ''
  elseif since == '' then
    since = now()
  end
  local parts = { created, string.format('%.0f', failures + 1), since, isSplit, count, oldest, reason }
  redis.call('HSET', lane, 'b:' .. id, table.concat(parts, '|'))
  return state('OK')
end

-- id (part created count oldest seqs events body)…
function modes.split(id)
  if not isRecorded(id) then
    return { 'CHANGED' }
  end
  local ids = ''
  for at = 8, #ARGV, 7 do
    ids = ids .. ARGV[at] .. ' '
  end
  replace(id, ids)
  for at = 8, #ARGV, 7 do
    local text = meta(ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], 1)
    put(ARGV[at], text, ARGV[at + 4], ARGV[at + 5], ARGV[at + 6])
  end
  return state('OK')
end

-- id maxBytes (event letter)… -> OK … gone
function modes.giveUp(id, maxBytes)
  if not isRecorded(id) then
    return { 'CHANGED' }
  end
  local gone = bury(9, tonumber(maxBytes))
  replace(id, '')
  local reply = state('OK')
  reply[#reply + 1] = gone
  return reply
end

-- token upTo leftOut bytes (event)…: these stand for everything up to there.
function modes.fold(token, upTo, leftOut, bytes)
  if redis.call('HGET', lane, 'tok') ~= token then
    return { 'CHANGED' }
  end
  redis.call('DEL', folded)
  for at = 11, #ARGV, 1000 do
    redis.call('RPUSH', folded, unpack(ARGV, at, math.min(at + 999, #ARGV)))
  end
  redis.call('HSET', lane, 'pos', upTo, 'fb', bytes)
  redis.call('HINCRBY', lane, 'lo', leftOut)
  redis.call('HINCRBY', lane, 'tok', 1)
  return state('OK')
end

local open = {}

-- maxEvents (asked)… -> OK accepted: puts events on the replay lane; whoever owns the partition is told.
function open.replay(maxEvents)
  if redis.call('HEXISTS', K .. ':ep:' .. app, endpoint) == 0 then
    return { 'OK', 0 }
  end
  if redis.call('HSETNX', lane, 'tok', now()) == 1 then
    redis.call('HSET', lane, 'pos', 0, 'bs', '')
  end
  local room = tonumber(maxEvents) - redis.call('LLEN', folded)
  local accepted = math.max(0, math.min(room, #ARGV - 7))
  for at = 8, 7 + accepted do
    redis.call('RPUSH', folded, ARGV[at])
    redis.call('HINCRBY', lane, 'fb', #ARGV[at])
  end
  if accepted > 0 then
    publish('wake', ': ' .. app .. ' ' .. endpoint .. ' ' .. redis.call('LLEN', folded))
  end
  return { 'OK', accepted }
end

-- maxBytes (id letter)… -> OK gone: of a batch of the replay lane, whose events may be of any partition.
function open.bury(maxBytes)
  if redis.call('HEXISTS', lane, 'tok') == 0 then
    return { 'OK', 0 }
  end
  return { 'OK', bury(8, tonumber(maxBytes)) }
end

-- id…: the endpoint took these after all.
function open.forget()
  if redis.call('HEXISTS', lane, 'tok') == 0 then
    return { 'OK' }
  end
  for at = 7, #ARGV do
    forgetLetter(ARGV[at])
  end
  return { 'OK' }
end

if open[mode] then
  return open[mode](unpack(ARGV, 7, math.min(#ARGV, 15)))
end
if not owns(holder) or redis.call('HEXISTS', lane, 'tok') == 0 then
  return { 'NONE' }
end
return modes[mode](unpack(ARGV, 7, math.min(#ARGV, 15)))
