-- app channel limit
-- OK <version> <subscriptions> <n> (user info)… of the users who are present; more than limit: LARGE <version>
-- <subscriptions>.
local channel = readChannel(ARGV[2], ARGV[3], '')
local limit = tonumber(ARGV[4])

if channel.m > limit then return { 'LARGE', versionOf(channel), channel.k } end
local reply = { 'OK', versionOf(channel), channel.k, channel.m }
if channel.m == 0 then return reply end
local fields = redis.call('HGETALL', usersKey(channel))
local size = #reply
for index = 1, #fields, 2 do
  local holders, info = string.match(fields[index + 1], '^(%d+)|%d+|[^|]*|(.*)$')
  if holders ~= '0' then
    reply[size + 1], reply[size + 2] = fields[index], info
    size = size + 2
  end
end
return reply
