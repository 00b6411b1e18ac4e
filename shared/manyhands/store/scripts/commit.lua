-- Writes what a run has assigned, sends its update, and ends, detaches or gives back the run.
-- KEYS: see _session.lua
-- ARGV: 4 token, 5 k, 6 ending (partial, detach, final, return), 7 and 8 the update around its seq ('' and '': none),
--       9 channel, 10 client, 11 n, 12 outcome or '', 13 token of the next run or '', 14 version of the fields that the
--       caller has after this commit, 15 queue and channel of the worker for whom the next event may be rung directly,
--       or '', 16 letters of the mailbox that the caller has beyond this one, 17 entries and 18 bytes of the log,
--       19 outcomes kept, 20 paths remembered for detached runs, 21 rooms that the session joins and leaves (see
--       _joined.lua), 22 what the caller wants of a large state if others have changed it (see _fields.lua), 23 the update in full (see
--       _grown.lua) or '', then per op: kind, field, value (see fields.py)
-- Returns {seq or 0, version, ms of the ring or '', queue to ring or the next turn}, or {'lost'} when the run was given up.
--   Of a next turn whose letter the caller has, it gives {fence, 1 if it is to be cancelled}
--   {'missing', digest, ...} where it refers to large values that are not here; then it has written nothing.
-- With: _letters _turns _fields _begin _updates _large _writes _joined _grown

local FIRST_OP = 24
local token, k, ending = ARGV[4], ARGV[5], ARGV[6]
local client, n, next_token, known = ARGV[10], ARGV[11], ARGV[13], ARGV[14]
local meta = call('HMGET', META, 'run', 'last', 'ver', 'rung', 'renew', 'loose', 'asked', 'seq', 'logged', 'fence',
  'near', 'bytes', 'many', 'arrow', 'plain')
if not meta[1] then
  call('ZREM', LEASES, lease_of(token))
  return {'lost'}
end
local in_turn = meta[1] == token
local this = token .. ' ' .. k .. ' '

local function begin_next(version, fence)
  return begin_first(next_token, known, true, true, ARGV[22],
    {fence, version, meta[6], meta[7], meta[12], meta[13], nil, nil, meta[14]})
end

-- A repeated commit, sent again because its answer got lost, gets the same answer and writes nothing.
local function answer_again(last)
  local seq, version = string.match(last, ' (%d+) (%d+)$')
  if next_token ~= '' and meta[1] == next_token then
    known = ''
    return {tonumber(seq), version, '', begin_next(meta[3], meta[10])}
  end
  -- Whether it was rung then is unknown: once more does no harm.
  local dead = dead_runs(meta[6])
  if meta[1] == '' and (call('LLEN', MAILBOX) > 0 or #dead > 0) then
    local queue = next_queue(dead)
    return {tonumber(seq), version, ring(queue), queue}
  end
  return {tonumber(seq), version, ''}
end
if meta[2] and string.sub(meta[2], 1, #this) == this then return answer_again(meta[2]) end
local answered = not in_turn and call('HGET', ANSWERS, token)
if answered and string.sub(answered, 1, #this) == this then return answer_again(answered) end

local letter = not in_turn and call('HGET', DETACHED, token)
if not in_turn and not letter then return {'lost'} end
-- Detached already, so long ago that the answer is forgotten.
if not in_turn and ending == 'detach' then return {0, meta[3], ''} end

local missing = missing_references(FIRST_OP)
if #missing > 1 then return missing end

local head, tail, adds = ARGV[7], ARGV[8], ARGV[23] ~= ''
if adds and (meta[15] or not are_bases_there(ARGV[23])) then
  head, tail = spell_out(ARGV[23], FIRST_OP)
  adds = false
end

local version = meta[3]
local some_detached = meta[6] and meta[6] ~= '0'
if #ARGV >= FIRST_OP then
  version = whole(tonumber(version) + 1)
  begin_writes(meta[12], meta[13])
  write_ops(FIRST_OP, some_detached and version, tonumber(ARGV[20]))
  end_writes()
  -- The next turn reads what is there now.
  meta[12], meta[13] = bytes, indexed and '1' or '0'
end

if ARGV[21] ~= '' then note_joined(ARGV[21]) end
local seq, logged = 0, meta[9]
if head ~= '' then
  seq = tonumber(meta[8]) + 1
  logged = send(seq, head, tail, ARGV[9], tonumber(logged), tonumber(ARGV[17]), tonumber(ARGV[18]))
  if adds then call('HSET', META, 'added', whole(seq)) end
end
if ending == 'final' then
  remember_end(client, ARGV[12], tonumber(ARGV[19]))
  if meta[7] == '1' then
    call('SREM', CANCELS, event_key(client, tonumber(n)))
    meta[7] = whole(call('EXISTS', CANCELS))
    call('HSET', META, 'asked', meta[7])
  end
end
renew_lives(meta[5])

local newest = seq > 0 and whole(seq) or meta[8]
local answer = this .. whole(seq) .. ' ' .. version
-- Keeps the answer to a commit of a run that is or will be detached, in case it is asked for again.
if not in_turn or ending == 'detach' then
  call('HSET', ANSWERS, token, answer)
  if call('HLEN', ANSWERS) > 256 then
    for _, one in ipairs(call('HKEYS', ANSWERS)) do
      if one ~= token and call('HEXISTS', DETACHED, one) == 0 then call('HDEL', ANSWERS, one) end
    end
  end
  call('PEXPIRE', ANSWERS, whole(math.min(60000, LIFE)))
  answer = meta[2] or ''
end
-- The turn is free after this, unless it was a partial commit, or was not in turn.
local run = in_turn and ending ~= 'partial' and '' or meta[1]
local near = ending == 'final' and in_turn and ARGV[15] or meta[11] or ''
if in_turn and ending == 'final' and next_token ~= '' and ARGV[16] ~= '0' then
  -- The caller has the next letter, and has begun with it or is about to.
  call('LPOP', MAILBOX)
  call('ZREM', LEASES, lease_of(token))
  take_lease(next_token)
  local fence = whole(tonumber(meta[10]) + 1)
  call('HSET', META, 'ver', version, 'seq', newest, 'logged', logged, 'last', answer, 'run', next_token,
    'began', next_token, 'fence', fence, 'taken', ARGV[16], 'near', near)
  local cancelled = 0
  if meta[7] == '1' then
    local following, from = read_letter(call('LINDEX', MAILBOX, 0))
    cancelled = call('SISMEMBER', CANCELS, event_key(from, following))
  end
  return {seq, version, '', {fence, cancelled}}
end
call('HSET', META, 'ver', version, 'seq', newest, 'logged', logged, 'last', answer, 'run', run, 'near', near)

if ending == 'partial' then return {seq, version, ''} end

if not in_turn then
  call('HDEL', DETACHED, token)
  call('ZREM', LEASES, lease_of(token))
  count_detached()
  if ending == 'final' then return {seq, version, ''} end
  -- Before the events that wait, but behind the one whose turn it is: that is known by its place.
  local first = meta[1] ~= '' and call('LPOP', MAILBOX)
  call('LPUSH', MAILBOX, letter)
  if first then
    call('LPUSH', MAILBOX, first)
    -- What the worker of the turn has of the mailbox is no longer what follows.
    call('HSET', META, 'taken', 1)
  end
  mortal(MAILBOX)
  if meta[1] == '' and meta[4] == '0' then
    local queue = next_queue({})
    return {seq, version, ring(queue), queue}
  end
  return {seq, version, ''}
end

-- The session's next event begins at once under the next token, or is rung.
local ended
if ending == 'detach' then
  if not some_detached then call('HSET', META, 'floor', version) end
  ended = call('LPOP', MAILBOX)
  call('HSET', DETACHED, token, ended)
  mortal(DETACHED)
  take_lease(token)
  count_detached()
  meta[6] = '1'
else
  call('ZREM', LEASES, lease_of(token))
  if ending == 'final' then ended = call('LPOP', MAILBOX) end
end
local dead = dead_runs(meta[6])
if call('LLEN', MAILBOX) == 0 and #dead == 0 then return {seq, version, ''} end
local queue = next_queue(dead)
-- Of other queues the caller may serve none.
if next_token ~= '' and #dead == 0 and (not ended or queue == queue_of(ended)) then
  return {seq, version, '', begin_next(version, meta[10])}
end
return {seq, version, ring(queue), queue}
