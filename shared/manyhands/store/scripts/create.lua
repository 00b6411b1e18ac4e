-- Creates a session; repeating it changes nothing.
-- KEYS: see _session.lua
-- ARGV: 4 content hash of the defaults, 5 version of the app, 6 headers and cookies, encoded
-- Returns 1 if it is new

if call('HEXISTS', META, 'id') == 1 then return 0 end
call('HSET', META, 'id', SESSION, 'defaults', ARGV[4], 'version', ARGV[5],
  'seq', 0, 'ver', 0, 'fence', 0, 'run', '', 'rung', 0, 'logged', 0, 'loose', 0)
call('SET', INFO, ARGV[6])
renew_lives(nil)
return 1
