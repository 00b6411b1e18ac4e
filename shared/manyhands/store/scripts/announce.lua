-- Announces a version of the app, and forgets versions that have gone, except the newest.
-- KEYS: 1 versions, 2 workers (here: versions by their last announcement), 3 the announcement, 4 the defaults
-- ARGV: 1 version, 2 announcement, 3 defaults, 4 life in ms, 5 ms after which a silent version has gone
-- Returns how many versions are announced

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local newest = redis.call('ZREVRANGE', KEYS[1], 0, 0)[1]
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - tonumber(ARGV[5]))) do
  redis.call('ZREM', KEYS[2], gone)
  if gone ~= newest then redis.call('ZREM', KEYS[1], gone) end
end
redis.call('ZADD', KEYS[1], 'NX', string.format('%.0f', now), ARGV[1])
redis.call('ZADD', KEYS[2], string.format('%.0f', now), ARGV[1])
redis.call('SET', KEYS[3], ARGV[2], 'PX', ARGV[4])
redis.call('SET', KEYS[4], ARGV[3], 'PX', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return redis.call('ZCARD', KEYS[1])
