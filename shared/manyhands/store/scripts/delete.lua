-- Ends a session with all that it holds. What runs in it loses its lease, and with it the right to commit.
-- KEYS: see _session.lua
-- ARGV: only those of all
-- Returns how many keys it had

local tokens = call('HKEYS', DETACHED)
tokens[#tokens + 1] = call('HGET', META, 'run') or nil
for _, token in ipairs(tokens) do call('ZREM', LEASES, lease_of(token)) end
call('ZREM', BELLS, SESSION)
return call('DEL', META, STATE, MAILBOX, CLIENTS, LOG, ENDED, DETACHED, TOUCHED, CANCELS, ANSWERS)
