-- Holds large values for a commit that is to come: none of them is forgotten before.
-- KEYS: see _session.lua
-- ARGV: 4 the secret for digests, if the session has none yet, then per value: digest, size, offset, length and type of
--       what browsers may fetch of it, between spaces
-- Returns {the session's secret, per value 1 if it is here as a whole, else 0}, or nil when the session is gone
-- With: _large

if call('EXISTS', META) == 0 then return nil end
call('HSETNX', HELD, 'key', ARGV[4])
if call('HLEN', HELD) == 1 then mortal(HELD) end
local answer = {call('HGET', HELD, 'key')}
prune()
for i = 5, #ARGV, 3 do
  local digest, size = ARGV[i], tonumber(ARGV[i + 1])
  local one = read_held(digest)
  if one then
    one.since = NOW
    if one.kind == 'r' then one.kind = 'p' end
  else
    one = {refs = 0, kind = 'p', since = NOW, size = size, rest = ARGV[i + 2]}
  end
  write_held(digest, one)
  if one.refs == 0 then loosen(digest) end
  answer[#answer + 1] = is_whole(digest, size) and 1 or 0
end
return answer
