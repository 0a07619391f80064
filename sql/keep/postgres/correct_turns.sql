-- Adds the attempts of corrected turns up anew, and passes the difference on to their sessions.
-- Parameter: $1, a JSON array of corrections.
with sums as (
    select
        a.turn_id,
        -- A call that never reached a model costs nothing; one that did at a price nobody knows
        -- makes the sum unknown.
        case when bool_or(a.cost_microusd is null and a.status = 200) then null
             else coalesce(sum(a.cost_microusd), 0) end as cost_microusd,
        case when bool_or(a.cost_microusd is null and a.status = 200) then 'unknown'
             when bool_or(a.cost_source = 'estimated' and a.cost_microusd is not null) then 'estimated'
             when bool_or(a.cost_source = 'corrected') then 'corrected'
             else 'reported' end as cost_source,
        sum(a.prompt_tokens) as prompt_tokens,
        sum(a.completion_tokens) as completion_tokens
    from attempt a
    where a.turn_id in (
        select c.turn_id from jsonb_to_recordset(cast($1 as jsonb)) as c (turn_id uuid)
    )
    group by a.turn_id
), before as (
    select t.turn_id, t.session_id, t.cost_microusd, t.prompt_tokens, t.completion_tokens
    from turn t join sums using (turn_id)
    for update of t
), changed as (
    update turn t set
        cost_microusd = cast(n.cost_microusd as bigint),
        cost_source = n.cost_source,
        prompt_tokens = cast(n.prompt_tokens as bigint),
        completion_tokens = cast(n.completion_tokens as bigint)
    from sums n join before b using (turn_id)
    where t.turn_id = n.turn_id
    returning
        b.session_id,
        coalesce(n.cost_microusd, 0) - coalesce(b.cost_microusd, 0) as cost,
        coalesce(n.prompt_tokens, 0) - coalesce(b.prompt_tokens, 0) as prompt,
        coalesce(n.completion_tokens, 0) - coalesce(b.completion_tokens, 0) as completion,
        cast(n.cost_microusd is null as integer) - cast(b.cost_microusd is null as integer) as unknown
)
update session s set
    cost_microusd = s.cost_microusd + d.cost,
    prompt_tokens = s.prompt_tokens + d.prompt,
    completion_tokens = s.completion_tokens + d.completion,
    unknown_costs = s.unknown_costs + d.unknown
from (
    select session_id, cast(sum(cost) as bigint) as cost, cast(sum(prompt) as bigint) as prompt,
           cast(sum(completion) as bigint) as completion, sum(unknown) as unknown
    from changed group by session_id
) d
where s.session_id = d.session_id
