-- Appends one event to its session's mailbox, unless that very n was accepted before.
-- KEYS: see _session.lua
-- ARGV: 4 client, 5 n or '' (then one more than the client's highest), 6 body, 7 mailbox limit, 8 events a second,
--       9 burst, 10 how many gaps are remembered per client
-- Returns {verdict, n, 1 if it was a duplicate, ms of the ring or '', ms to wait before sending again or ''}

local client, body = ARGV[4], ARGV[6]
local meta = call('HMGET', META, 'id', 'run', 'rung', 'tokens', 'tokens_at', 'renew')
if not meta[1] then return {'unknown_session', '', 0, '', ''} end

local highest, floor, gaps = 0, 0, {}
local known = call('HGET', CLIENTS, client)
if known then
  local first, second, rest = string.match(known, '^(%d+) (%d+) ?(.*)$')
  highest, floor = tonumber(first), tonumber(second)
  for low, high in string.gmatch(rest, '(%d+)%-(%d+)') do gaps[#gaps + 1] = {tonumber(low), tonumber(high)} end
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

if call('LLEN', MAILBOX) >= tonumber(ARGV[7]) then return {'mailbox_full', whole(n), 0, '', 1000} end

-- A token bucket: as many tokens as events may be sent at once, filled at the rate.
local rate, burst = tonumber(ARGV[8]), tonumber(ARGV[9])
local tokens = burst
if meta[4] then tokens = math.min(burst, tonumber(meta[4]) + (NOW - tonumber(meta[5])) * rate / 1000) end
if tokens < 1 then return {'rate_limited', whole(n), 0, '', math.ceil((1 - tokens) * 1000 / rate)} end

while #gaps > tonumber(ARGV[10]) do floor = table.remove(gaps, 1)[2] end
local noted = {whole(highest), whole(floor)}
for _, gap in ipairs(gaps) do noted[#noted + 1] = whole(gap[1]) .. '-' .. whole(gap[2]) end
call('HSET', CLIENTS, client, table.concat(noted, ' '))
call('RPUSH', MAILBOX, '\0' .. struct.pack('>I8I2', n, #client) .. client .. body)
call('HSET', META, 'tokens', string.format('%.4f', tokens - 1), 'tokens_at', whole(NOW))
mortal(CLIENTS)
mortal(MAILBOX)
renew_lives(meta[6])

local rung = ''
if meta[2] == '' and meta[3] == '0' then rung = ring() end
return {'accepted', whole(n), 0, rung, ''}
