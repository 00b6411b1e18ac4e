-- Writes what a run has assigned, sends its update, and ends, detaches or gives back the run.
-- KEYS: see _session.lua
-- ARGV: 4 token, 5 k, 6 ending (partial, detach, final, return), 7 and 8 the update around its seq ('' and '': none),
--       9 channel, 10 client, 11 n, 12 outcome or '', 13 token of the next run or '', 14 version of the fields that the
--       caller has after this commit, 15 entries and 16 bytes of the log, 17 outcomes kept, 18 paths remembered for
--       detached runs, then per op: kind, field, value (see fields.py)
-- Returns {seq or 0, version, ms of the ring or '', the next turn or nil}, or {'lost'} when the run was given up

local token, k, ending = ARGV[4], ARGV[5], ARGV[6]
local client, n, next_token, known = ARGV[10], ARGV[11], ARGV[13], ARGV[14]
local meta = call('HMGET', META, 'run', 'last', 'ver', 'rung', 'renew')
if not meta[1] then
  call('ZREM', LEASES, lease_of(token))
  return {'lost'}
end
local in_turn = meta[1] == token
local this = token .. ' ' .. k .. ' '

-- A repeated commit, sent again because its answer got lost, gets the same answer and writes nothing.
local answered = not in_turn and call('HGET', ANSWERS, token)
for _, last in ipairs({meta[2] or '', answered or ''}) do
  if string.sub(last, 1, #this) == this then
    local seq, version = string.match(last, ' (%d+) (%d+)$')
    if next_token ~= '' and meta[1] == next_token then
      return {tonumber(seq), version, '', begin_first(next_token, '')}
    end
    -- Whether it was rung then is unknown: once more does no harm.
    local again = ''
    if meta[1] == '' and (call('LLEN', MAILBOX) > 0 or #dead_runs() > 0) then again = ring() end
    return {tonumber(seq), version, again}
  end
end

local letter = not in_turn and call('HGET', DETACHED, token)
if not in_turn and not letter then return {'lost'} end
-- Detached already, so long ago that the answer is forgotten.
if not in_turn and ending == 'detach' then return {0, meta[3], ''} end

local function delete_all(fields)
  for from = 1, #fields, 1000 do
    call('HDEL', STATE, unpack(fields, from, math.min(from + 999, #fields)))
  end
end

-- Deletes what lies below a field.
local function clear_below(field)
  local below, length = {}, #field
  for _, one in ipairs(call('HKEYS', STATE)) do
    if #one > length and string.sub(one, 1, length) == field then below[#below + 1] = one end
  end
  delete_all(below)
end

local function delete(field, cut)
  if cut then
    for _, one in ipairs(above(field)) do
      if call('HEXISTS', STATE, one) == 1 then cut = false end
    end
  end
  if cut then call('HSET', STATE, field, CUT) else call('HDEL', STATE, field) end
end

-- The same as fields.apply. A kind may carry how many levels above are dicts of the defaults.
local function write(tagged, field, value)
  local kind, dicts_above = string.sub(tagged, 1, 1), tonumber(string.sub(tagged, 2))
  local before = call('HGET', STATE, field)
  if (before and string.sub(before, 1, 2) == DICT) or (not before and kind ~= 'L') then clear_below(field) end
  if kind == 'U' or kind == 'C' then return delete(field, kind == 'C') end
  local cut = false
  for level, one in ipairs(above(field)) do
    local there = call('HGET', STATE, one)
    local in_defaults = not cut and (not dicts_above or level <= dicts_above)
    if there and string.sub(there, 1, 2) ~= DICT or not there and not in_defaults then
      call('HSET', STATE, one, DICT)
      there = DICT
    end
    cut = cut or there
  end
  call('HSET', STATE, field, value)
end

local version = meta[3]
local some_detached = call('EXISTS', DETACHED) == 1
if #ARGV > 18 then
  version = whole(call('HINCRBY', META, 'ver', 1))
  local below = {}
  for i = 19, #ARGV, 3 do
    if ARGV[i] == 'B' then
      below[#below + 1] = ARGV[i + 1]
      below[#below + 1] = ARGV[i + 2]
      if #below >= 1000 then
        call('HSET', STATE, unpack(below))
        below = {}
      end
    else
      if #below > 0 then call('HSET', STATE, unpack(below)) end
      below = {}
      write(ARGV[i], ARGV[i + 1], ARGV[i + 2])
      if some_detached then call('ZADD', TOUCHED, version, ARGV[i + 1]) end
    end
  end
  if #below > 0 then call('HSET', STATE, unpack(below)) end
  mortal(STATE)
  if some_detached then
    local over = call('ZCARD', TOUCHED) - tonumber(ARGV[18])
    if over > 0 then
      local forgotten = call('ZPOPMIN', TOUCHED, over)
      call('HSET', META, 'floor', forgotten[#forgotten])
    end
    mortal(TOUCHED)
  end
end

local seq = 0
if ARGV[7] ~= '' then seq = send(ARGV[7], ARGV[8], ARGV[9], tonumber(ARGV[15]), tonumber(ARGV[16])) end
if ending == 'final' then
  remember_end(client, ARGV[12], tonumber(ARGV[17]))
  call('SREM', CANCELS, event_key(client, tonumber(n)))
end
local answer = this .. whole(seq) .. ' ' .. version
if in_turn and ending ~= 'detach' then call('HSET', META, 'last', answer) else remember_answer(token, answer) end
renew_lives(meta[5])

if ending == 'partial' then return {seq, version, ''} end

if not in_turn then
  call('HDEL', DETACHED, token)
  call('ZREM', LEASES, lease_of(token))
  tidy_detached()
  if ending == 'final' then return {seq, version, ''} end
  -- Before the events that wait, but behind the one whose turn it is: that is known by its place.
  local first = meta[1] ~= '' and call('LPOP', MAILBOX)
  call('LPUSH', MAILBOX, letter)
  if first then call('LPUSH', MAILBOX, first) end
  mortal(MAILBOX)
  if meta[1] == '' and meta[4] == '0' then return {seq, version, ring()} end
  return {seq, version, ''}
end

-- The turn is free. The session's next event begins at once under the next token, or is rung.
call('HSET', META, 'run', '')
if ending == 'detach' then
  if not some_detached then call('HSET', META, 'floor', version) end
  call('HSET', DETACHED, token, call('LPOP', MAILBOX))
  mortal(DETACHED)
  take_lease(token)
else
  call('ZREM', LEASES, lease_of(token))
  if ending == 'final' then call('LPOP', MAILBOX) end
end
if call('LLEN', MAILBOX) == 0 and #dead_runs() == 0 then return {seq, version, ''} end
if next_token ~= '' and #dead_runs() == 0 then return {seq, version, '', begin_first(next_token, known)} end
return {seq, version, ring()}
