-- Appends one event to its session's mailbox, unless that very n was accepted before.
-- KEYS: see _session.lua
-- ARGV: 4 client, 5 n or '' (then one more than the client's highest), 6 body, 7 queue, 8 mailbox limit, 9 events a
--       second, 10 burst, 11 how many gaps are remembered per client
-- Returns {verdict, n, 1 if it was a duplicate, ms of the ring or '', ms to wait before sending again or '', queue to ring}
-- With: _letters

local client, body, queue = ARGV[4], ARGV[6], ARGV[7]
local meta = call('HMGET', META, 'id', 'run', 'rung', 'tokens', 'tokens_at', 'renew', 'near', 'c:' .. client)
if not meta[1] then return {'unknown_session', '', 0, '', ''} end

local highest, floor, gaps = 0, 0, {}
if meta[8] then
  local first, second, rest = string.match(meta[8], '^(%d+) (%d+) ?(.*)$')
  highest, floor = tonumber(first), tonumber(second)
  if rest ~= '' then
    for low, high in string.gmatch(rest, '(%d+)%-(%d+)') do gaps[#gaps + 1] = {tonumber(low), tonumber(high)} end
  end
end

local n = highest + 1
if ARGV[5] ~= '' then n = tonumber(ARGV[5]) end
-- Counting on would leave the numbers that a double holds exactly.
if n > 9007199254740991 then return {'too_old', whole(highest), 0, '', ''} end
if n <= highest then
  local open = false
  for i, gap in ipairs(gaps) do
    if gap[1] <= n and n <= gap[2] then open = i end
  end
  if not open then
    if n <= floor then return {'too_old', whole(n), 0, '', ''} end
    return {'accepted', whole(n), 1, '', ''}
  end
  local gap = table.remove(gaps, open)
  if n < gap[2] then table.insert(gaps, open, {n + 1, gap[2]}) end
  if gap[1] < n then table.insert(gaps, open, {gap[1], n - 1}) end
else
  if n > highest + 1 then gaps[#gaps + 1] = {highest + 1, n - 1} end
  highest = n
end

local waiting = call('LLEN', MAILBOX)
if waiting >= tonumber(ARGV[8]) then return {'mailbox_full', whole(n), 0, '', 1000} end

-- A token bucket: as many tokens as events may be sent at once, filled at the rate.
local rate, burst = tonumber(ARGV[9]), tonumber(ARGV[10])
local tokens = burst
if meta[4] then tokens = math.min(burst, tonumber(meta[4]) + (NOW - tonumber(meta[5])) * rate / 1000) end
if tokens < 1 then return {'rate_limited', whole(n), 0, '', math.ceil((1 - tokens) * 1000 / rate)} end

while #gaps > tonumber(ARGV[11]) do floor = table.remove(gaps, 1)[2] end
local noted = whole(highest) .. ' ' .. whole(floor)
for _, gap in ipairs(gaps) do noted = noted .. ' ' .. whole(gap[1]) .. '-' .. whole(gap[2]) end
call('RPUSH', MAILBOX, '\0' .. struct.pack('>I8BI2', n, #queue, #client) .. queue .. client .. body)
if waiting == 0 then mortal(MAILBOX) end
renew_lives(meta[6])

local must_ring = meta[2] == '' and meta[3] == '0'
if waiting > 0 and must_ring then queue = queue_of(call('LINDEX', MAILBOX, 0)) end
call('HSET', META, 'c:' .. client, noted, 'tokens', string.format('%.4f', tokens - 1), 'tokens_at', whole(NOW),
  'rung', must_ring and rung_at(queue) or meta[3])
if not must_ring then return {'accepted', whole(n), 0, '', ''} end
call('ZADD', BELLS, whole(NOW), bell_of(queue))
call('PEXPIRE', BELLS, LIFE)
-- The worker that had the session's last turn may be listening still: told at once, it need not hear of it from Celery.
if meta[7] and string.sub(meta[7], 1, #queue + 1) == queue .. ' ' then
  local channel = string.sub(meta[7], #queue + 2)
  if call('PUBLISH', channel, SESSION) > 0 then return {'accepted', whole(n), 0, '', ''} end
end
return {'accepted', whole(n), 0, NOW, '', queue}
