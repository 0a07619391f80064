-- Keeps one settled turn. A turn that is kept already is left as it is: delivery may repeat, the
-- effect may not.
-- Parameters: the columns of `turn`, by name.
insert into turn (
    turn_id, session_id, user_hash, profile, identity, coach, coach_reason, tier, planned_model,
    served_model, provider, generation_id, outcome, auth_ms, memory_ms, plan_ms,
    upstream_headers_ms, first_token_ms, first_speakable_ms, total_ms, overhead_ms, memory_outcome,
    prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, cost_microusd, cost_source,
    hedged, continued, lead_in, attempts, trace_id, created_at
) values (
    :turn_id, :session_id, :user_hash, :profile, :identity, :coach, :coach_reason, :tier,
    :planned_model, :served_model, :provider, :generation_id, :outcome, :auth_ms, :memory_ms,
    :plan_ms, :upstream_headers_ms, :first_token_ms, :first_speakable_ms, :total_ms, :overhead_ms,
    :memory_outcome, :prompt_tokens, :completion_tokens, :cached_tokens, :reasoning_tokens,
    :cost_microusd, :cost_source, :hedged, :continued, :lead_in, :attempts, :trace_id, :created_at
) on conflict (turn_id) do nothing
