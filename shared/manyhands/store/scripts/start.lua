-- Notes that the handler of a run begins that had waited in its worker: from now on, dying with it is an attempt.
-- KEYS: 1 meta of a session
-- ARGV: 1 token of the run
-- Returns 1, or 0 when the run was given up

if redis.call('HGET', KEYS[1], 'run') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'began', ARGV[1])
return 1
