-- Ends a session with all that it holds. What runs in it loses its lease, and with it the right to commit.
-- KEYS: see _session.lua
-- ARGV: only those of all
-- Returns how many keys it had
-- With: _letters _turns

local meta = call('HMGET', META, 'run', 'rung')
local tokens = call('HKEYS', DETACHED)
tokens[#tokens + 1] = meta[1] or nil
for _, token in ipairs(tokens) do call('ZREM', LEASES, lease_of(token)) end
silence(meta[2])
return call('DEL', META, STATE, MAILBOX, LOG, ENDED, DETACHED, TOUCHED, CANCELS, ANSWERS, INDEX, LARGE, HELD, INFO)
