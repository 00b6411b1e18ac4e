-- Large values and uploads: what is held, who refers to it, and when it is forgotten. Used after _session.lua.
--
-- In `held` stands for each digest 'refs kind since size rest'. refs: how many fields of the state refer to it; since: ms
-- when it was last written, held or dropped; size: bytes; kind:
--   h  fields refer to it
--   p  pending: a worker writes it, or has written it, for a commit that is to come
--   r  retired: nothing refers to it any more, but handlers and browsers that were told of it may still read it
--   u  an upload; its rest is how many bytes have come
-- Of the others the rest is what browsers may fetch of it: offset, length, type. Beside them stand `key`, the session's secret
-- for digests, and `loose`, the digests that were not referred to when they were last looked at, one behind the other.

local CHUNK, DIGEST = 262144, 16
-- For how many ms something is kept that nothing refers to, and how many bytes of what was retired.
local LOOSE_FOR, MOST_RETIRED = 600000, 33554432

-- The digest in a reference, else nil.
local function digest_in(value)
  local first, second = string.byte(value, 1, 2)
  if first == 193 and second == 82 then return string.sub(value, 3, 2 + DIGEST) end
end

local function chunk_name(digest, number)
  return digest .. struct.pack('>I4', number)
end

local function count_chunks(size)
  return math.ceil(size / CHUNK)
end

local function read_held(digest)
  local entry = call('HGET', HELD, digest)
  if not entry then return nil end
  local refs, kind, since, size, rest = string.match(entry, '^(%d+) (%a) (%d+) (%d+) (.*)$')
  return {refs = tonumber(refs), kind = kind, since = tonumber(since), size = tonumber(size), rest = rest}
end

local function write_held(digest, one)
  local words = {whole(one.refs), one.kind, whole(one.since), whole(one.size), one.rest}
  if call('HSET', HELD, digest, table.concat(words, ' ')) == 1 and call('HLEN', HELD) <= 2 then mortal(HELD) end
end

-- Notes that nothing refers to something, so that `prune` looks at it.
local function loosen(digest)
  local loose = call('HGET', HELD, 'loose') or ''
  if not string.find(loose, digest, 1, true) then call('HSET', HELD, 'loose', loose .. digest) end
end

local function is_whole(digest, size)
  for number = 0, count_chunks(size) - 1 do
    if call('HEXISTS', LARGE, chunk_name(digest, number)) == 0 then return false end
  end
  return true
end

local function forget(digest, size)
  for number = 0, count_chunks(size) - 1 do call('HDEL', LARGE, chunk_name(digest, number)) end
  call('HDEL', HELD, digest)
end

-- Forgets what nothing refers to: what has been so for long, and of what was retired all but the latest.
local function prune()
  local loose, kept, retired = call('HGET', HELD, 'loose') or '', {}, 0
  for at = #loose - DIGEST + 1, 1, -DIGEST do
    local digest = string.sub(loose, at, at + DIGEST - 1)
    local one = read_held(digest)
    if one and one.refs == 0 then
      if one.kind == 'r' then retired = retired + one.size end
      if NOW - one.since > LOOSE_FOR or one.kind == 'r' and retired > MOST_RETIRED then
        forget(digest, one.size)
      else
        table.insert(kept, 1, digest)
      end
    end
  end
  if #kept * DIGEST < #loose then call('HSET', HELD, 'loose', table.concat(kept)) end
end
