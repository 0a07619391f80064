-- Which coaches a session met, and which models answered for each.
-- Parameter: session. Row: coach, model, turns, cost_microusd, completion_tokens.
select coach, coalesce(served_model, planned_model) as model, count(*) as turns,
       cast(sum(cost_microusd) as bigint) as cost_microusd,
       cast(sum(completion_tokens) as bigint) as completion_tokens
from turn
where session_id = :session
group by coach, coalesce(served_model, planned_model)
order by coach, count(*) desc, coalesce(served_model, planned_model)
