-- Writes to the fields of a state: each of them goes through `put`, `put_new` or `drop`. Used after _fields.lua and
-- _large.lua.

local DICT, CUT = '\193D', '\193X'
-- Fields from which on a state has an index, and below which it has none any more.
local MANY, FEW = 128, 64
-- Bytes of all fields and their values; whether they have an index; whether the state had none at some moment.
local bytes, indexed, was_empty = 0, false, false

-- By digest: how many references to a large value more, or fewer, there are after the writes.
local referred = {}

local function count_reference(value, by)
  local digest = digest_in(value)
  if digest then referred[digest] = (referred[digest] or 0) + by end
end

-- `noted` and `many`: meta's fields `bytes` and `many`.
local function begin_writes(noted, many)
  bytes, indexed = tonumber(noted) or 0, many == '1'
  was_empty = call('EXISTS', STATE) == 0
end

-- Writes a field. `before`: what it holds, or false.
local function put(field, value, before)
  if indexed and not before then call('ZADD', INDEX, 0, field) end
  bytes = bytes + #value - (before and #before or -#field)
  if before then count_reference(before, -1) end
  count_reference(value, 1)
  call('HSET', STATE, field, value)
end

-- Writes fields that are not there: field, value, field, value ...
local function put_new(pairs)
  for from = 1, #pairs, 1000 do
    local to = math.min(from + 999, #pairs)
    call('HSET', STATE, unpack(pairs, from, to))
    for i = from, to, 2 do
      bytes = bytes + #pairs[i] + #pairs[i + 1]
      count_reference(pairs[i + 1], 1)
      if indexed then call('ZADD', INDEX, 0, pairs[i]) end
    end
  end
end

-- Removes fields, whether or not they are there.
local function drop(fields)
  for from = 1, #fields, 1000 do
    local to = math.min(from + 999, #fields)
    local values = call('HMGET', STATE, unpack(fields, from, to))
    for i = from, to do
      local value = values[i - from + 1]
      if value then
        bytes = bytes - #fields[i] - #value
        count_reference(value, -1)
      end
    end
    call('HDEL', STATE, unpack(fields, from, to))
    if indexed then call('ZREM', INDEX, unpack(fields, from, to)) end
  end
  was_empty = was_empty or #fields > 0 and call('EXISTS', STATE) == 0
end

local function delete(field, cut, before)
  if cut then
    for _, one in ipairs(above(field)) do
      if call('HEXISTS', STATE, one) == 1 then cut = false end
    end
  end
  if cut then put(field, CUT, before) else drop({field}) end
end

-- The same as fields.apply. A kind may carry how many levels above are dicts of the defaults.
local function write(tagged, field, value)
  local kind, dicts_above = string.sub(tagged, 1, 1), tonumber(string.sub(tagged, 2))
  local before = call('HGET', STATE, field)
  if (before and string.sub(before, 1, 2) == DICT) or (not before and kind ~= 'L') then drop(below(field, indexed)) end
  if kind == 'U' or kind == 'C' then return delete(field, kind == 'C', before) end
  local cut = false
  for level, one in ipairs(above(field)) do
    local there = call('HGET', STATE, one)
    local in_defaults = not cut and (not dicts_above or level <= dicts_above)
    if there and string.sub(there, 1, 2) ~= DICT or not there and not in_defaults then
      put(one, DICT, there)
      there = DICT
    end
    cut = cut or there
  end
  put(field, value, before)
end

-- Writes ops, which stand in ARGV from a place on: kind, field, value each. `version`: noted with what is touched where runs
-- go on beside others, which are to see it; else false. `remembered`: paths that are remembered for them.
local function write_ops(from, version, remembered)
  local content = {}
  for i = from, #ARGV, 3 do
    if ARGV[i] == 'B' then
      content[#content + 1] = ARGV[i + 1]
      content[#content + 1] = ARGV[i + 2]
    else
      put_new(content)
      content = {}
      write(ARGV[i], ARGV[i + 1], ARGV[i + 2])
      if version then call('ZADD', TOUCHED, version, ARGV[i + 1]) end
    end
  end
  put_new(content)
  if not version then return end
  local over = call('ZCARD', TOUCHED) - remembered
  if over > 0 then
    local forgotten = call('ZPOPMIN', TOUCHED, over)
    call('HSET', META, 'floor', forgotten[#forgotten])
  end
  mortal(TOUCHED)
end

-- What ops refer to must be here as a whole: nothing is written that can't be read. Gives 'missing', and the digests of what
-- is not.
local function missing_references(from)
  local missing, looked_at = {'missing'}, {}
  for i = from + 2, #ARGV, 3 do
    local digest = digest_in(ARGV[i])
    if digest and not looked_at[digest] then
      looked_at[digest] = true
      local one = read_held(digest)
      if not one or one.kind == 'u' or not is_whole(digest, one.size) then missing[#missing + 1] = digest end
    end
  end
  return missing
end

-- Notes which large values are referred to, and retires those that no longer are.
local function note_references()
  if not next(referred) then return end
  for digest, by in pairs(referred) do
    local one = read_held(digest)
    if one then
      one.refs = math.max(one.refs + by, 0)
      if one.refs > 0 then
        one.kind = 'h'
      elseif by < 0 or one.kind == 'h' then
        one.kind, one.since = 'r', NOW
        loosen(digest)
      end
      write_held(digest, one)
    end
  end
  prune()
end

local function end_writes()
  note_references()
  local count = call('HLEN', STATE)
  if not indexed and count > MANY then
    local fields = call('HKEYS', STATE)
    for from = 1, #fields, 1000 do
      local members = {}
      for i = from, math.min(from + 999, #fields) do
        members[#members + 1] = 0
        members[#members + 1] = fields[i]
      end
      call('ZADD', INDEX, unpack(members))
    end
    indexed = true
    mortal(INDEX)
  elseif indexed and count < FEW then
    call('DEL', INDEX)
    indexed = false
  end
  if was_empty then
    mortal(STATE)
    mortal(INDEX)
  end
  call('HSET', META, 'bytes', bytes, 'many', indexed and '1' or '0')
end
