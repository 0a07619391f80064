-- Notes that a session's newest turn began at the asker. Says when that was, in microseconds by the clock here and later
-- than any before, and on which other machines earlier ones may still run: the last that stood here, and the last
-- before it that was another, since who stands here may have told nobody.
-- KEYS: the session. ARGV: the asker; seconds.
local noted = redis.call('GET', KEYS[1]) or ''
local at, last, other = string.match(noted, '^(%d+) (%x+) ?(%x*)$')
local others = {}
for _, machine in ipairs({last or '', other or ''}) do
  if machine ~= '' and machine ~= ARGV[1] then
    table.insert(others, machine)
  end
end
local now = redis.call('TIME')
at = math.max(now[1] * 1000000 + now[2], (tonumber(at) or 0) + 1)
redis.call('SET', KEYS[1], string.format('%.0f %s %s', at, ARGV[1], others[1] or ''), 'EX', ARGV[2])
return {at, others}
