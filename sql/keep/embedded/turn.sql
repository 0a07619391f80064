-- Keeps one settled turn. One that is kept already is left as it is: delivery may repeat, the effect
-- may not.
-- Parameters: the fields of a turn as src/record/entry.rs writes it, by name; `attempts` is a number.
insert into turn (
    turn_id, session_id, user_hash, profile, identity, coach, coach_reason, tier, complexity,
    experiment, variant, planned_model, served_model, provider, generation_id, outcome, auth_ms,
    memory_ms, plan_ms, upstream_headers_ms, first_token_ms, first_speakable_ms, total_ms, overhead_ms,
    memory_outcome, prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, cost_microusd,
    cost_source, hedged, continued, lead_in, model_reason, ceiling_microusd, committed, satisfaction,
    trace_id, created_at, attempts
)
select
    :turn_id,
    -- A person who asked to be forgotten while this row was on its way stays forgotten.
    iif(e.user_hash is null, :session_id, 'erased'), iif(e.user_hash is null, :user_hash, null),
    :profile, :identity, :coach, :coach_reason, :tier, :complexity,
    :experiment, :variant, :planned_model, :served_model, :provider, :generation_id, :outcome, :auth_ms,
    :memory_ms, :plan_ms, :upstream_headers_ms, :first_token_ms, :first_speakable_ms, :total_ms, :overhead_ms,
    :memory_outcome, :prompt_tokens, :completion_tokens, :cached_tokens, :reasoning_tokens, :cost_microusd,
    :cost_source, :hedged, :continued, :lead_in, :model_reason, :ceiling_microusd,
    iif(:experiment is null, null, c.turn_id is not null), iif(e.user_hash is null, f.satisfaction, null),
    iif(e.user_hash is null, :trace_id, ''), :created_at, :attempts
from (select 1)
left join erasure e on e.user_hash = :user_hash and :created_at <= e.erased_at
left join feedback f on f.turn_id = :turn_id
left join committed_turn c on c.turn_id = :turn_id
where true
on conflict (turn_id) do nothing
