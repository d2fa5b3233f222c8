-- app channel
-- OK <json> <ttlMs>, or NONE.
local key = K .. ':ce:' .. ARGV[2] .. ':' .. ARGV[3]
local json = redis.call('GET', key)

if not json then return { 'NONE' } end
return { 'OK', json, redis.call('PTTL', key) }
