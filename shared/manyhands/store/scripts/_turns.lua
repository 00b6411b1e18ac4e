-- Turns: leases, doorbells, and how one begins. Used after _letters.lua.

local function lease_of(token)
  return SESSION .. ' ' .. token
end

local function lease_holds(token)
  local ends = call('ZSCORE', LEASES, lease_of(token))
  return ends and tonumber(ends) > NOW
end

local function take_lease(token)
  call('ZADD', LEASES, whole(NOW + LEASE), lease_of(token))
  call('PEXPIRE', LEASES, math.max(LIFE, LEASE * 4))
end

-- The same letter after one more of its runs was lost with its worker.
local function lost_once_more(letter)
  return string.char(math.min(string.byte(letter) + 1, 255)) .. string.sub(letter, 2)
end

-- Tokens of detached runs whose worker has died, the one that began first at the front. `loose`: how many are detached.
local function dead_runs(loose)
  local dead = {}
  if not loose or loose == '0' then return dead end
  local runs = call('HGETALL', DETACHED)
  for i = 1, #runs, 2 do
    if not lease_holds(runs[i]) then dead[#dead + 1] = {runs[i], runs[i + 1]} end
  end
  -- Tokens begin with the time at which they were made, at a fixed width.
  table.sort(dead, function(a, b) return a[1] < b[1] end)
  return dead
end

-- The queue whose workers the session must be rung for.
local function next_queue(dead)
  local letter = dead[1] and dead[1][2] or call('LINDEX', MAILBOX, 0)
  return letter and queue_of(letter) or ''
end

-- Counts the detached runs anew, and forgets what was kept for them once there are none.
local function count_detached()
  local loose = call('HLEN', DETACHED)
  call('HSET', META, 'loose', loose)
  if loose == 0 then call('DEL', TOUCHED) end
end

-- Notes that the session must be rung for a queue, and gives the time of the ring.
local function ring(queue)
  call('HSET', META, 'rung', rung_at(queue))
  call('ZADD', BELLS, whole(NOW), bell_of(queue))
  call('PEXPIRE', BELLS, LIFE)
  return NOW
end

-- Ends the ring that is out. `rung`: of meta.
local function silence(rung)
  if not rung or rung == '0' then return end
  call('HSET', META, 'rung', '0')
  call('ZREM', BELLS, bell_of(string.match(rung, ' (.*)') or ''))
end
