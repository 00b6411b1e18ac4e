-- Updates and outcomes. Used after _session.lua.

-- Milliseconds after the last event for which updates and outcomes are kept: a browser that comes back later gets a
-- snapshot, and an idle session costs what its state does.
local function rest(key)
  call('PEXPIRE', key, whole(math.min(LIFE, 1800000)))
end

-- Gives an update its seq, keeps it for browsers that reconnect, and publishes it. Gives the bytes that are then logged.
local function send(seq, head, tail, channel, logged, max_entries, max_bytes)
  local update = head .. '\207' .. struct.pack('>I8', seq) .. tail
  local entries = call('RPUSH', LOG, update)
  rest(LOG)
  logged = entries == 1 and #update or logged + #update
  while entries > 0 and (entries > max_entries or logged > max_bytes) do
    logged = logged - #call('LPOP', LOG)
    entries = entries - 1
  end
  call('PUBLISH', channel, update)
  return logged
end

-- Keeps an outcome for `welcome`.
local function remember_end(client, outcome, max_ended)
  if outcome == '' then return end
  local count = call('RPUSH', ENDED, struct.pack('>I2', #client) .. client .. outcome)
  rest(ENDED)
  if count > max_ended then call('LPOP', ENDED) end
end
