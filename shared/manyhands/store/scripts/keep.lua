-- Renews the life of a session that has a connection.
-- KEYS: see _session.lua
-- ARGV: only those of all
-- Returns its seq, or nil when it is gone
-- With: _large

local meta = call('HMGET', META, 'seq', 'renew')
if not meta[1] then return nil end
renew_lives(meta[2])
prune()
return tonumber(meta[1])
