-- Announces a version of the app, and forgets versions that have gone; the newest not before it has been gone for long.
-- KEYS: 1 versions by the latest start of a worker, 2 versions by their last announcement, 3 the announcement,
--       4 the defaults
-- ARGV: 1 version, 2 announcement, 3 defaults, 4 life in ms, 5 ms after which a silent version has gone, 6 the same for
--       the newest, 7 1 if a worker has just started
-- Returns how many versions are announced

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local newest = redis.call('ZREVRANGE', KEYS[1], 0, 0)[1]
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - tonumber(ARGV[5]))) do
  local seen = tonumber(redis.call('ZSCORE', KEYS[2], gone))
  if gone ~= newest or seen <= now - tonumber(ARGV[6]) then
    redis.call('ZREM', KEYS[1], gone)
    redis.call('ZREM', KEYS[2], gone)
  end
end
if ARGV[7] == '1' or not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
end
redis.call('ZADD', KEYS[2], string.format('%.0f', now), ARGV[1])
redis.call('SET', KEYS[3], ARGV[2], 'PX', ARGV[4])
redis.call('SET', KEYS[4], ARGV[3], 'PX', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return redis.call('ZCARD', KEYS[1])
