-- What was told of the lifecycle of one app in this partition: a snapshot, and the entries that follow it.
--
-- ARGV: mode app ...

local mode, app = ARGV[2], ARGV[3]
local generation = store.epochs .. '.' .. store.gen
local head = tonumber(redis.call('HGET', K .. ':h', app)) or 0

local function membersOf(channel)
  local members = {}
  local users = redis.call('HGETALL', K .. ':u:' .. app .. ':' .. channel)
  for at = 1, #users, 2 do
    members[#members + 1] = users[at]
    members[#members + 1] = memberOf(users[at + 1]).seq
  end
  return members
end

local modes = {}

-- -> OK generation head {channel epoch seq {user seq …}}…
function modes.snapshot()
  local reply = { 'OK', generation, head }
  for _, channel in ipairs(redis.call('SMEMBERS', K .. ':n:' .. app)) do
    local told = redis.call('HMGET', K .. ':c:' .. app .. ':' .. channel, '#o', '#e', '#s')
    if told[1] then
      reply[#reply + 1] = { channel, told[2], told[3], membersOf(channel) }
    end
  end
  return reply
end

-- generation after limit -> OFF (no endpoint, nothing is kept) | GONE | OK head {entries}: of every kind, behind `after`.
function modes.after(known, after, limit)
  if redis.call('SISMEMBER', K .. ':ea', app) == 0 then
    return { 'OFF' }
  end
  local stream = K .. ':o:' .. app
  local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  local oldest = first and tonumber(string.match(first[1], '^%d+')) or head + 1
  local position = tonumber(after)
  if known ~= generation or position + 1 < oldest or position > head then
    return { 'GONE' }
  end
  if limit == '0' then
    return { 'OK', head, {} }
  end
  return { 'OK', head, redis.call('XRANGE', stream, string.format('%.0f', position + 1), '+', 'COUNT', limit) }
end

return modes[mode](unpack(ARGV, 4))
