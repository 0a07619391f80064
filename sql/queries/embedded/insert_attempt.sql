-- Keeps one upstream call of a turn.
-- Parameters: the columns of `attempt`, by name.
insert into attempt (
    turn_id, position, cause, model, provider, generation_id, status, error_kind, started_ms, headers_ms,
    first_token_ms, ended_ms, prompt_tokens, completion_tokens, cost_microusd, cost_source,
    cancelled
) values (
    :turn_id, :position, :cause, :model, :provider, :generation_id, :status, :error_kind, :started_ms,
    :headers_ms, :first_token_ms, :ended_ms, :prompt_tokens, :completion_tokens, :cost_microusd,
    :cost_source, :cancelled
) on conflict (turn_id, position) do nothing
