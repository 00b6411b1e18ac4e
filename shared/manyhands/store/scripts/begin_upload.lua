-- Begins an upload; repeating it changes nothing.
-- KEYS: see _session.lua
-- ARGV: 4 its id, as long as a digest, 5 its size, 6 how many uploads and 7 how many bytes of them a session has at most
-- Returns 'begun', 'full', or 'unknown' when the session is gone
-- With: _large

if call('HEXISTS', META, 'id') == 0 then return 'unknown' end
local id, size = ARGV[4], tonumber(ARGV[5])
if call('HEXISTS', HELD, id) == 1 then return 'begun' end
prune()
local loose, count, bytes = call('HGET', HELD, 'loose') or '', 1, size
for at = 1, #loose, DIGEST do
  local one = read_held(string.sub(loose, at, at + DIGEST - 1))
  if one and one.kind == 'u' then count, bytes = count + 1, bytes + one.size end
end
if count > tonumber(ARGV[6]) or bytes > tonumber(ARGV[7]) then return 'full' end
write_held(id, {refs = 0, kind = 'u', since = NOW, size = size, rest = '0'})
loosen(id)
return 'begun'
