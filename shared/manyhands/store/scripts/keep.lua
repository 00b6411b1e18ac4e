-- Renews the life of a session that has a connection.
-- KEYS: see _session.lua
-- ARGV: only those of all
-- Returns its seq, or nil when it is gone

local meta = call('HMGET', META, 'seq', 'renew')
if not meta[1] then return nil end
renew_lives(meta[2])
return tonumber(meta[1])
