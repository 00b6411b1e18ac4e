-- Reads how many letters mailboxes hold, the running event's included. Writes nothing.
-- KEYS: mailboxes. On a cluster, those of one partition; else of as many as are asked for
-- ARGV: none
-- Returns {length, ...}

local lengths = {}
for i = 1, #KEYS do lengths[i] = redis.call('LLEN', KEYS[i]) end
return lengths
