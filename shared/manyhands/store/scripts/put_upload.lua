-- Writes the next chunk of an upload.
-- KEYS: see _session.lua
-- ARGV: 4 its id, 5 the offset of the chunk, 6 its bytes
-- Returns how many bytes have come, whether or not these were the next ones, or nil for an unknown upload
-- With: _large

local one = read_held(ARGV[4])
if not one or one.kind ~= 'u' then return nil end
local come, offset = tonumber(one.rest), tonumber(ARGV[5])
-- Each chunk but the last is a whole one: they are found by their numbers.
local is_full = #ARGV[6] == CHUNK or come + #ARGV[6] == one.size
if come == offset and is_full and come + #ARGV[6] <= one.size then
  call('HSET', LARGE, chunk_name(ARGV[4], offset / CHUNK), ARGV[6])
  if call('HLEN', LARGE) == 1 then mortal(LARGE) end
  come = come + #ARGV[6]
  one.rest, one.since = whole(come), NOW
  write_held(ARGV[4], one)
end
return come
