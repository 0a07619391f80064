-- Which coaches a session met, specialists of councils among them, and which models answered for each.
-- What a specialist came to is its own, and not the turn's coach's.
-- Parameter: session. Row: coach, model, turns, cost_microusd, completion_tokens.
with own as (
    select turn_id, coach, coalesce(served_model, planned_model) as model, cost_microusd, completion_tokens
    from turn
    where session_id = :session
), specialist as (
    select a.turn_id, a.coach, a.model, sum(a.cost_microusd) as cost_microusd,
           sum(a.completion_tokens) as completion_tokens
    from attempt a
    join own o on o.turn_id = a.turn_id
    where a.coach is not null
    group by a.turn_id, a.coach, a.model
), council as (
    select turn_id, sum(cost_microusd) as cost_microusd, sum(completion_tokens) as completion_tokens
    from specialist
    group by turn_id
), part as (
    select o.coach, o.model, o.cost_microusd - coalesce(c.cost_microusd, 0) as cost_microusd,
           o.completion_tokens - coalesce(c.completion_tokens, 0) as completion_tokens
    from own o
    left join council c on c.turn_id = o.turn_id
    union all
    select coach, model, cost_microusd, completion_tokens
    from specialist
)
select coach, model, count(*) as turns, cast(sum(cost_microusd) as bigint) as cost_microusd,
       cast(sum(completion_tokens) as bigint) as completion_tokens
from part
group by coach, model
order by coach, count(*) desc, model
