-- Gives the names of the rooms that a session has joined, between single spaces.
-- KEYS: see _session.lua
-- ARGV: none of its own
-- Returns the names, or '' also for an unknown session

return call('HGET', META, 'rooms') or ''
