-- Keeps one upstream call of a turn. One that is kept already is left as it is.
-- A row that is refused takes its transaction back in any case (see turn.sql).
-- Parameters: the fields of an attempt as src/record/entry.rs writes it, by name.
insert or rollback into attempt (
    turn_id, position, cause, coach, model, provider, generation_id, status, error_kind, started_ms,
    headers_ms, first_token_ms, ended_ms, prompt_tokens, cached_tokens, completion_tokens, cost_microusd,
    cost_source, cancelled, created_at
)
values (
    :turn_id, :position, :cause, :coach, :model, :provider, :generation_id, :status, :error_kind, :started_ms,
    :headers_ms, :first_token_ms, :ended_ms, :prompt_tokens, :cached_tokens, :completion_tokens, :cost_microusd,
    :cost_source, :cancelled, :created_at
)
on conflict (turn_id, position) do nothing
