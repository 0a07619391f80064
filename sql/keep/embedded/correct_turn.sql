-- Adds the attempts of a corrected turn up anew.
-- Parameter: ?1, the turn's id.
update turn set
    cost_microusd = s.cost_microusd,
    cost_source = s.cost_source,
    prompt_tokens = s.prompt_tokens,
    completion_tokens = s.completion_tokens
from (
    select
        -- A call that never reached a model costs nothing; one that did at a price nobody knows
        -- makes the sum unknown.
        iif(max(cost_microusd is null and status is 200), null, coalesce(sum(cost_microusd), 0))
            as cost_microusd,
        case when max(cost_microusd is null and status is 200) then 'unknown'
             when max(cost_source = 'estimated' and cost_microusd is not null) then 'estimated'
             when max(cost_source = 'corrected') then 'corrected'
             else 'reported' end as cost_source,
        sum(prompt_tokens) as prompt_tokens,
        sum(completion_tokens) as completion_tokens
    from attempt where turn_id = ?1
) s
where turn.turn_id = ?1 and exists (select 1 from attempt a where a.turn_id = ?1)
