-- Reads the updates after a seq.
-- KEYS: see _session.lua
-- ARGV: 4 the last seq that was seen
-- Returns {update, ...}, or nil when they are no longer kept or the session is gone

local seq = call('HGET', META, 'seq')
if not seq then return nil end
local missed = tonumber(seq) - tonumber(ARGV[4])
if missed < 0 or missed > call('LLEN', LOG) then return nil end
if missed == 0 then return {} end
return call('LRANGE', LOG, -missed, -1)
