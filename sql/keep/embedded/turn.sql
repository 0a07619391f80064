-- Keeps one settled turn. One that is kept already is left as it is: delivery may repeat, the effect
-- may not.
-- Parameter: ?1, a turn as JSON, as src/turn/record.rs writes it, `attempts` a number.
insert into turn (
    turn_id, session_id, user_hash, profile, identity, coach, coach_reason, tier, complexity,
    experiment, variant, planned_model, served_model, provider, generation_id, outcome, auth_ms,
    memory_ms, plan_ms, upstream_headers_ms, first_token_ms, first_speakable_ms, total_ms, overhead_ms,
    memory_outcome, prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, cost_microusd,
    cost_source, attempts, hedged, continued, lead_in, model_reason, ceiling_microusd, committed,
    satisfaction, trace_id, created_at
)
select
    i.j ->> 'turn_id',
    -- A person who asked to be forgotten while this row was on its way stays forgotten.
    iif(e.user_hash is null, i.j ->> 'session_id', 'erased'),
    iif(e.user_hash is null, i.j ->> 'user_hash', null),
    i.j ->> 'profile', i.j ->> 'identity', i.j ->> 'coach', i.j ->> 'coach_reason', i.j ->> 'tier',
    i.j ->> 'complexity', i.j ->> 'experiment', i.j ->> 'variant', i.j ->> 'planned_model',
    i.j ->> 'served_model', i.j ->> 'provider', i.j ->> 'generation_id', i.j ->> 'outcome',
    i.j ->> 'auth_ms', i.j ->> 'memory_ms', i.j ->> 'plan_ms', i.j ->> 'upstream_headers_ms',
    i.j ->> 'first_token_ms', i.j ->> 'first_speakable_ms', i.j ->> 'total_ms', i.j ->> 'overhead_ms',
    i.j ->> 'memory_outcome', i.j ->> 'prompt_tokens', i.j ->> 'completion_tokens',
    i.j ->> 'cached_tokens', i.j ->> 'reasoning_tokens', i.j ->> 'cost_microusd', i.j ->> 'cost_source',
    i.j ->> 'attempts', i.j ->> 'hedged', i.j ->> 'continued', i.j ->> 'lead_in',
    i.j ->> 'model_reason', i.j ->> 'ceiling_microusd',
    iif(i.j ->> 'experiment' is null, null, c.turn_id is not null),
    iif(e.user_hash is null, f.satisfaction, null), iif(e.user_hash is null, i.j ->> 'trace_id', ''),
    i.j ->> 'created_at'
from (select ?1 as j) i
left join erasure e on e.user_hash = i.j ->> 'user_hash' and i.j ->> 'created_at' <= e.erased_at
left join feedback f on f.turn_id = i.j ->> 'turn_id'
left join committed_turn c on c.turn_id = i.j ->> 'turn_id'
where true
on conflict (turn_id) do nothing
