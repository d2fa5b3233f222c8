-- app channel json ttlMs onlyNewer
-- OK. With onlyNewer 1 an event stays that was remembered later: every event is kept for the same time.
local key = K .. ':ce:' .. ARGV[2] .. ':' .. ARGV[3]
local ttlMs = tonumber(ARGV[5])

if ARGV[6] == '0' or redis.call('PTTL', key) <= ttlMs then redis.call('SET', key, ARGV[4], 'PX', ttlMs) end
return { 'OK' }
