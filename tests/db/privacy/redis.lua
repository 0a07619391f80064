-- Every key with its value, as a flat list of texts.
local questions = {
    string = { 'GET' },
    hash = { 'HGETALL' },
    list = { 'LRANGE', 0, -1 },
    set = { 'SMEMBERS' },
    zset = { 'ZRANGE', 0, -1, 'WITHSCORES' },
}
local all = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
    local question = questions[redis.call('TYPE', key).ok]
    local value = redis.call(question[1], key, unpack(question, 2))
    all[#all + 1] = key
    if type(value) == 'table' then
        for _, part in ipairs(value) do
            all[#all + 1] = part
        end
    else
        all[#all + 1] = value
    end
end
return all
