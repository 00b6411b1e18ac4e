-- What every script of a session shares; the store puts it before each of them, and after it the parts that
-- the script's head names.
--
-- KEYS, the same for every script of a session:
--   1 meta      hash: id, defaults, version (of the app); seq, ver (counts commits that
--               changed fields), fence, run (token of the run that holds the turn, or ''), began (token of the latest run
--               whose handler began), taken (letters that the worker of the turn has, the running one included), rung
--               (ms of the ring that is out and, unless it is the common one, its queue; or 0), near (queue and channel
--               of the worker that had the last turn, or ''), last (token, k, seq and ver of the last commit of a turn), logged (bytes in the log), tokens and tokens_at
--               (rate limit), floor (ver from which `touched` is complete), renew (ms when lives are renewed next),
--               loose (detached runs), asked (1 while `cancels` is not empty), bytes (of all fields and their values), many
--               (1 while `index` is kept), rooms (names of those it has joined), arrow (1 once a browser wanted tables as
--               Arrow), plain (1 once a browser followed that does not read what was added to texts), added (seq of the latest
--               update that says such), and per client 'c:' client ->
--               'highest floor lo-hi lo-hi ...', the open gaps below the highest n
--   2 state     hash: encoded path -> stored value or marker (see fields.py)
--   3 mailbox   list of letters: 1 byte runs that were lost, 8 bytes n, 1 byte length of queue, 2 bytes length of client,
--               queue ('' for the common one), client, body
--   4 log       list of updates, the newest last: its seq is meta.seq
--   5 ended     list of 2 bytes length of client, client, outcome
--   6 detached  hash: token -> letter
--   7 touched   sorted set, while runs are detached: field -> ver
--   8 cancels   set of 8 bytes n, client: running events that someone wants to cancel
--   9 answers   hash, kept for a minute: token of a run that was detached -> k, seq and ver of its last commit
--  10 bells     sorted set of the partition: session, or 'session queue' -> ms of the ring
--  11 leases    sorted set of the partition: 'session token' -> ms when the lease ends. The truth about leases
--  12 index     sorted set, while there are many fields: each of them, in the order of their bytes, so that a subtree is found
--               without reading the others
--  13 large     hash: digest and number of a chunk -> bytes of a field that is too large for `state`
--  14 held      hash: what is known of each of them, and of uploads; see _large.lua
--  15 info      string: headers and cookies. Beside `meta`, which takes a third of the memory while all its values are short
-- ARGV begins for all with: 1 session, 2 life of a session in ms, 3 length of a lease in ms

local META, STATE, MAILBOX, LOG, ENDED = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local DETACHED, TOUCHED, CANCELS, ANSWERS, BELLS, LEASES = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11]
local INDEX, LARGE, HELD, INFO = KEYS[12], KEYS[13], KEYS[14], KEYS[15]
local SESSION, LIFE, LEASE = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local call = redis.call

local clock = call('TIME')
local NOW = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- Numbers over 10^14 would be written as 1e+14 by tostring.
local function whole(number)
  return string.format('%.0f', number)
end

-- A key that has just been made lives no longer than its session.
local function mortal(key)
  call('PEXPIRE', key, whole(LIFE + LIFE / 32))
end

-- Renews the life of a session's keys, but of `log` and `ended`, which rest sooner; each event asks, and every thirty-second of a life it is done, for so much
-- longer than a life.
local function renew_lives(due)
  if due and NOW < tonumber(due) then return end
  for _, i in ipairs({1, 2, 3, 6, 7, 8, 12, 13, 14, 15}) do call('PEXPIRE', KEYS[i], whole(LIFE + LIFE / 32)) end
  call('HSET', META, 'renew', whole(NOW + LIFE / 32))
end
