-- Writes one chunk of a large value that is held; repeating it changes nothing.
-- KEYS: see _session.lua
-- ARGV: 4 digest, 5 number of the chunk, 6 its bytes
-- Returns 1, or 0 when the value is no longer held
-- With: _large

if call('HEXISTS', HELD, ARGV[4]) == 0 then return 0 end
call('HSET', LARGE, chunk_name(ARGV[4], tonumber(ARGV[5])), ARGV[6])
if call('HLEN', LARGE) == 1 then mortal(LARGE) end
return 1
