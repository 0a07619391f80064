-- Who answers a request: says who does already, if that one is still there, else notes that the asker does.
-- One that is gone has no ear left, whichever way it went.
-- KEYS: the request. ARGV: the asker; what the ears of machines begin with; seconds.
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] and redis.call('PUBSUB', 'NUMSUB', ARGV[2] .. owner)[2] > 0 then
  return owner
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
return false
