-- What the scripts of a session share; the store puts it before each of them.
--
-- KEYS, the same for every script of a session:
--   1 meta      hash: id, defaults, version (of the app), info (headers and cookies); seq, ver (counts commits that
--               changed fields), fence, run (token of the run that holds the turn, or ''), rung (ms of the ring that
--               is out, or 0), last (token, k, seq and ver of the last commit of a turn), logged (bytes in the log), tokens and tokens_at (rate limit),
--               floor (ver from which `touched` is complete), renew (ms when lives are renewed next)
--   2 state     hash: encoded path -> stored value or marker (see fields.py)
--   3 mailbox   list of letters: 1 byte runs that were lost, 8 bytes n, 2 bytes length of client, client, body
--   4 clients   hash: client -> 'highest floor lo-hi lo-hi ...', the open gaps below the highest n
--   5 log       list of updates, the newest last: its seq is meta.seq
--   6 ended     list of 2 bytes length of client, client, outcome
--   7 detached  hash: token -> letter
--   8 touched   sorted set, while runs are detached: field -> ver
--   9 cancels   set of 8 bytes n, client: running events that someone wants to cancel
--  10 answers   hash, kept for a minute: token of a run that was detached -> k, seq and ver of its last commit
--  11 bells     sorted set of the partition: session -> ms of the ring
--  12 leases    sorted set of the partition: 'session token' -> ms when the lease ends. The truth about leases
-- ARGV begins for all with: 1 session, 2 life of a session in ms, 3 length of a lease in ms

local META, STATE, MAILBOX, CLIENTS, LOG, ENDED = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local DETACHED, TOUCHED, CANCELS, ANSWERS, BELLS, LEASES = KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11], KEYS[12]
local SESSION, LIFE, LEASE = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local DICT, CUT = '\193D', '\193X'
local call = redis.call

local clock = call('TIME')
local NOW = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- Numbers over 10^14 would be written as 1e+14 by tostring.
local function whole(number)
  return string.format('%.0f', number)
end

-- A key that has just been made lives no longer than its session.
local function mortal(key)
  if call('PTTL', key) == -1 then call('PEXPIRE', key, whole(LIFE + LIFE / 32)) end
end

-- Renews the life of all of a session's keys; each event asks, and every thirty-second of a life it is done, for so much
-- longer than a life.
local function renew_lives(due)
  if due and NOW < tonumber(due) then return end
  for i = 1, 9 do call('PEXPIRE', KEYS[i], whole(LIFE + LIFE / 32)) end
  call('HSET', META, 'renew', whole(NOW + LIFE / 32))
end

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

-- Notes that the session must be rung and gives the time of the ring.
local function ring()
  call('HSET', META, 'rung', whole(NOW))
  call('ZADD', BELLS, whole(NOW), SESSION)
  call('PEXPIRE', BELLS, LIFE)
  return NOW
end

local function silence()
  call('HSET', META, 'rung', '0')
  call('ZREM', BELLS, SESSION)
end

-- n, client and body of a letter.
local function read_letter(letter)
  local n, length = struct.unpack('>I8I2', string.sub(letter, 2, 11))
  return n, string.sub(letter, 12, 11 + length), string.sub(letter, 12 + length)
end

local function event_key(client, n)
  return struct.pack('>I8', n) .. client
end

-- The same letter after one more of its runs was lost with its worker.
local function lost_once_more(letter)
  return string.char(math.min(string.byte(letter) + 1, 255)) .. string.sub(letter, 2)
end

-- Begins the first letter of the mailbox under a token. `known`: the version of the fields that the caller has.
local function begin_first(token, known)
  local letter = call('LINDEX', MAILBOX, 0)
  local fence = call('HINCRBY', META, 'fence', 1)
  call('HSET', META, 'run', token)
  take_lease(token)
  local n, client, body = read_letter(letter)
  local meta = call('HMGET', META, 'ver', 'defaults', 'version', 'info')
  local fields = false
  if meta[1] ~= known then fields = call('HGETALL', STATE) end
  local cancelled = call('SISMEMBER', CANCELS, event_key(client, n))
  return {fence, string.byte(letter) + 1, client, whole(n), body, meta[1], meta[2], meta[3], meta[4], cancelled, fields}
end

-- Tokens of detached runs whose worker has died, the one that began first at the front.
local function dead_runs()
  local dead = {}
  if call('EXISTS', DETACHED) == 0 then return dead end
  local runs = call('HGETALL', DETACHED)
  for i = 1, #runs, 2 do
    if not lease_holds(runs[i]) then dead[#dead + 1] = {runs[i], runs[i + 1]} end
  end
  -- Tokens begin with the time at which they were made, at a fixed width.
  table.sort(dead, function(a, b) return a[1] < b[1] end)
  return dead
end

-- Forgets what was kept for detached runs once there are none.
local function tidy_detached()
  if call('EXISTS', DETACHED) == 0 then call('DEL', TOUCHED) end
end

-- The encoded paths above a field: a field is a chain of msgpack strings.
local function above(field)
  local found, at = {}, 1
  while at <= #field do
    local byte, length = string.byte(field, at), nil
    if byte < 0xc0 then length = 1 + byte - 0xa0
    elseif byte == 0xd9 then length = 2 + string.byte(field, at + 1)
    elseif byte == 0xda then length = 3 + struct.unpack('>I2', string.sub(field, at + 1, at + 2))
    else length = 5 + struct.unpack('>I4', string.sub(field, at + 1, at + 4)) end
    at = at + length
    if at <= #field then found[#found + 1] = string.sub(field, 1, at - 1) end
  end
  return found
end

-- Keeps the answer to a commit of a run that is or was detached, in case it is asked for again.
local function remember_answer(token, answer)
  call('HSET', ANSWERS, token, answer)
  if call('HLEN', ANSWERS) > 256 then
    for _, one in ipairs(call('HKEYS', ANSWERS)) do
      if one ~= token and call('HEXISTS', DETACHED, one) == 0 then call('HDEL', ANSWERS, one) end
    end
  end
  call('PEXPIRE', ANSWERS, whole(math.min(60000, LIFE)))
end

-- Sends an update: gives it its seq, keeps it for browsers that reconnect, and publishes it.
local function send(head, tail, channel, max_entries, max_bytes)
  local seq = call('HINCRBY', META, 'seq', 1)
  local update = head .. '\207' .. struct.pack('>I8', seq) .. tail
  local entries = call('RPUSH', LOG, update)
  local logged = call('HINCRBY', META, 'logged', #update)
  while entries > 0 and (entries > max_entries or logged > max_bytes) do
    logged = call('HINCRBY', META, 'logged', -#call('LPOP', LOG))
    entries = entries - 1
  end
  mortal(LOG)
  call('PUBLISH', channel, update)
  return seq
end

-- Keeps an outcome for `welcome`.
local function remember_end(client, outcome, max_ended)
  if outcome == '' then return end
  if call('RPUSH', ENDED, struct.pack('>I2', #client) .. client .. outcome) > max_ended then call('LPOP', ENDED) end
  mortal(ENDED)
end
