-- Tells one machine's numbers and reads everybody's, in one step that may be repeated: what is told
-- is where the machine stands, never what to add. All ages are by this server's clock, so that
-- machines need not agree on the time.
-- KEYS: the machines; the day. ARGV: the machine; its last minute; its day, empty if without turns; 1 if it reads,
-- which takes the longer the more machines there are.
local MINUTE = 60000
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f ', now) .. ARGV[2])
redis.call('PEXPIRE', KEYS[1], 2 * MINUTE)
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
  redis.call('EXPIRE', KEYS[2], 172800)
end
if ARGV[4] ~= '1' then
  return false
end

local machines = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local at, told = string.match(all[i + 1], '^(%d+) (.*)$')
  local age = at and math.max(0, now - at)
  if age and age < MINUTE then
    machines[#machines + 1] = { age, told }
  else
    redis.call('HDEL', KEYS[1], all[i])
  end
end

local day = { 0, 0, 0 }
for _, told in ipairs(redis.call('HVALS', KEYS[2])) do
  local turns, cost, unknown = string.match(told, '^(%d+) (%d+) (%d+)$')
  if turns then
    day = { day[1] + turns, day[2] + cost, day[3] + unknown }
  end
end
return { machines, day }
