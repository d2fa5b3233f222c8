-- Which endpoints there are in this partition. Each node lists the ones of its configuration; an endpoint that no live node
-- lists is retired, so that a node with an older configuration retires nothing that a newer one opened.
--
-- ARGV: nodeId (app endpoint)…; nodeId '' only looks for listings of nodes that are gone. -> OK (app with endpoints)…
-- Keys: `ep:<app>` endpoint -> '' or the ms at which it was retired; `el` nodes with a listing, `el:<node>` what they list.

local nodeId = ARGV[2]

-- Channels that were told occupied and their members, as events of their own ids and seqs, channel by channel in order of seq.
local function snapshotOf(app)
  local events = {}
  local bytes = 0
  for _, channel in ipairs(redis.call('SMEMBERS', K .. ':n:' .. app)) do
    local told = redis.call('HMGET', K .. ':c:' .. app .. ':' .. channel, '#o', '#e')
    if told[1] then
      local ofChannel = { { kind = 'channel_occupied', seq = tonumber(told[1]) } }
      for _, member in ipairs(toldMembers({ id = app .. ':' .. channel })) do
        ofChannel[#ofChannel + 1] = { kind = 'member_added', seq = member.seq, userId = member.user }
      end
      for _, event in ipairs(ofChannel) do
        event.id = told[2] .. '-' .. string.format('%.0f', event.seq)
        event.appId, event.channel, event.atMs = app, channel, now()
        event.epoch, event.cause = told[2], 'snapshot'
        events[#events + 1] = cjson.encode(event)
        bytes = bytes + 256 + 2 * (#channel + #(event.userId or ''))
      end
    end
  end
  return events, bytes
end

-- The lane of a new endpoint stands behind everything, and before it lies what is occupied now.
local function begin(app, endpoint)
  local head = redis.call('HGET', K .. ':h', app) or '0'
  local events, bytes = snapshotOf(app)
  for at = 1, #events, 1000 do
    local folded = K .. ':fo:' .. app .. ':' .. endpoint
    redis.call('RPUSH', folded, unpack(events, at, math.min(at + 999, #events)))
  end
  local lane = K .. ':l:' .. app .. ':' .. endpoint
  redis.call('HSET', lane, 'pos', head, 'start', head, 'tok', now(), 'bs', '', 'fb', bytes)
end

local function list()
  redis.call('DEL', K .. ':el:' .. nodeId)
  redis.call('SADD', K .. ':el', nodeId)
  for at = 3, #ARGV, 2 do
    local app, endpoint = ARGV[at], ARGV[at + 1]
    redis.call('SADD', K .. ':el:' .. nodeId, app .. ':' .. endpoint)
    redis.call('SADD', K .. ':ea', app)
    local closedAt = redis.call('HGET', K .. ':ep:' .. app, endpoint)
    if not closedAt then
      begin(app, endpoint)
    end
    redis.call('HSET', K .. ':ep:' .. app, endpoint, '')
  end
end

-- Listings count for as long as their node has a lease in this partition, under whatever incarnation.
local function listed()
  local live = { [nodeId] = true }
  local leases = redis.call('ZRANGEBYSCORE', K .. ':lease', '(0', '+inf')
  for _, holder in ipairs(leases) do
    live[string.match(holder, '^[^.]+')] = true
  end
  local all = {}
  for _, node in ipairs(redis.call('SMEMBERS', K .. ':el')) do
    if live[node] then
      for _, endpoint in ipairs(redis.call('SMEMBERS', K .. ':el:' .. node)) do
        all[endpoint] = true
      end
    else
      redis.call('DEL', K .. ':el:' .. node)
      redis.call('SREM', K .. ':el', node)
    end
  end
  return all
end

if nodeId ~= '' then
  list()
end
local isListed = listed()
local reply = { 'OK' }
for _, app in ipairs(redis.call('SMEMBERS', K .. ':ea')) do
  reply[#reply + 1] = app
  local endpoints = redis.call('HGETALL', K .. ':ep:' .. app)
  for at = 1, #endpoints, 2 do
    if endpoints[at + 1] == '' and not isListed[app .. ':' .. endpoints[at]] then
      redis.call('HSET', K .. ':ep:' .. app, endpoints[at], now())
    end
  end
end
return reply
