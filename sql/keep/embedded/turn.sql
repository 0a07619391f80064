-- Keeps one settled turn. One that is kept already is left as it is: delivery may repeat, the effect
-- may not.
-- A row that is refused takes its transaction back in any case. Told so (`or rollback`) SQLite does not put
-- each page aside before it writes to it, which costs as much as the rest. For the same reason there is no
-- `select`, whose rows would be gathered first, in a table of their own.
-- Parameters: the fields of a turn as src/record/entry.rs writes it, by name; `attempts` is a number.
with
-- A person who asked to be forgotten while this row was on its way stays forgotten.
forgotten as (
    select 1 from erasure where user_hash = :user_hash and :created_at <= erased_at
)
insert or rollback into turn (
    turn_id, session_id, user_hash, profile, identity, coach, coach_reason, tier, complexity,
    experiment, variant, planned_model, served_model, provider, generation_id, outcome, auth_ms,
    memory_ms, plan_ms, upstream_headers_ms, first_token_ms, first_speakable_ms, total_ms, overhead_ms,
    memory_outcome, prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, cost_microusd,
    cost_source, hedged, continued, lead_in, model_reason, ceiling_microusd, committed, satisfaction,
    trace_id, created_at, attempts
)
values (
    :turn_id,
    iif(exists (select 1 from forgotten), 'erased', :session_id),
    iif(exists (select 1 from forgotten), null, :user_hash),
    :profile, :identity, :coach, :coach_reason, :tier, :complexity,
    :experiment, :variant, :planned_model, :served_model, :provider, :generation_id, :outcome, :auth_ms,
    :memory_ms, :plan_ms, :upstream_headers_ms, :first_token_ms, :first_speakable_ms, :total_ms, :overhead_ms,
    :memory_outcome, :prompt_tokens, :completion_tokens, :cached_tokens, :reasoning_tokens, :cost_microusd,
    :cost_source, :hedged, :continued, :lead_in, :model_reason, :ceiling_microusd,
    iif(:experiment is null, null, exists (select 1 from committed_turn where turn_id = :turn_id)),
    iif(exists (select 1 from forgotten), null, (select f.satisfaction from feedback f where f.turn_id = :turn_id)),
    iif(exists (select 1 from forgotten), '', :trace_id),
    :created_at, :attempts
)
on conflict (turn_id) do nothing
