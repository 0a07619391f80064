-- Notes that a session's newest turn began at the asker. Says when that was, in microseconds by the clock here and later
-- than any before, and who stood there.
-- KEYS: the session. ARGV: the asker; seconds.
local before = redis.call('GET', KEYS[1]) or ''
local at, machine = string.match(before, '^(%d+) (%x+)$')
local now = redis.call('TIME')
at = math.max(now[1] * 1000000 + now[2], (tonumber(at) or 0) + 1)
redis.call('SET', KEYS[1], string.format('%.0f %s', at, ARGV[1]), 'EX', ARGV[2])
return {at, machine or ''}
