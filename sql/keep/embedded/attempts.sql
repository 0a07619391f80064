-- Keeps the upstream calls of one turn. One that is kept already is left as it is.
-- Parameter: ?1, a JSON array of attempts.
insert into attempt (
    turn_id, position, cause, coach, model, provider, generation_id, status, error_kind, started_ms,
    headers_ms, first_token_ms, ended_ms, prompt_tokens, cached_tokens, completion_tokens, cost_microusd,
    cost_source, cancelled, created_at
)
select
    value ->> 'turn_id', value ->> 'position', value ->> 'cause', value ->> 'coach',
    value ->> 'model', value ->> 'provider', value ->> 'generation_id', value ->> 'status', value ->> 'error_kind',
    value ->> 'started_ms', value ->> 'headers_ms', value ->> 'first_token_ms', value ->> 'ended_ms',
    value ->> 'prompt_tokens', value ->> 'cached_tokens', value ->> 'completion_tokens', value ->> 'cost_microusd',
    value ->> 'cost_source', value ->> 'cancelled', value ->> 'created_at'
from json_each(?1)
where true
on conflict (turn_id, position) do nothing
