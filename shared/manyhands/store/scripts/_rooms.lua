-- Rooms: who has one, and who waits for it. Used after _session.lua.
--
-- A room has the keys of a session. Of these, meta holds: seq, ver, fence, logged, floor, renew, bytes and many, as a
-- session's; run (token of the run that has the room, or ''), ends (ms when its lease does), event (that it is an
-- attempt at). Others hold something else:
--   3 mailbox   list of those who wait: 'token channel event'
--   5 ended     sorted set: event whose final commit is in -> ms
--   6 detached  sorted set: token of a run that goes on beside others -> ms when its lease ends
--   9 answers   hash, kept for a minute: token -> k, seq and ver of its last commit

-- Makes a room that nobody has named before.
local function make_room()
  call('HSET', META, 'seq', 0, 'ver', 0, 'fence', 0, 'run', '', 'ends', 0, 'event', '', 'logged', 0)
  renew_lives(nil)
end

local function give_room(token, event)
  call('HINCRBY', META, 'fence', 1)
  call('HSET', META, 'run', token, 'ends', whole(NOW + LEASE), 'event', event)
end

-- Gives the room to the first of those who wait, passing over whoever hears nothing any more. `me`: who need not be told.
-- Returns the token of the one who has it, or ''.
local function pass_on(me)
  local first = call('LPOP', MAILBOX)
  while first do
    local token, channel, event = string.match(first, '^(%S+) (%S+) (.*)$')
    if token == me or call('PUBLISH', channel, token) > 0 then
      give_room(token, event)
      return token
    end
    first = call('LPOP', MAILBOX)
  end
  call('HSET', META, 'run', '', 'event', '')
  return ''
end

-- Lets a run write no more. Nobody needs to know what was changed once no run goes on beside others.
local function forget_run(token)
  call('ZREM', DETACHED, token)
  call('ZREMRANGEBYSCORE', DETACHED, '-inf', whole(NOW - LEASE))
  if call('EXISTS', DETACHED) == 0 then call('DEL', TOUCHED) end
end
