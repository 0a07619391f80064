-- Keeps upstream calls. One that is kept already is left as it is.
-- Parameter: $1, a JSON array with an array of attempts for each turn.
insert into attempt (
    turn_id, position, cause, coach, model, provider, generation_id, status, error_kind, started_ms,
    headers_ms, first_token_ms, ended_ms, prompt_tokens, cached_tokens, completion_tokens, cost_microusd,
    cost_source, cancelled, created_at
)
select
    a.turn_id, a.position, a.cause, a.coach, a.model, a.provider, a.generation_id, a.status, a.error_kind,
    a.started_ms, a.headers_ms, a.first_token_ms, a.ended_ms, a.prompt_tokens, a.cached_tokens, a.completion_tokens,
    a.cost_microusd, a.cost_source, a.cancelled, to_timestamp(a.created_at / 1000.0)
from jsonb_array_elements(cast($1 as jsonb)) as turn_attempts (list)
cross join jsonb_to_recordset(turn_attempts.list) as a (
    turn_id uuid, position integer, cause text, coach text, model text, provider text, generation_id text,
    status integer, error_kind text, started_ms double precision, headers_ms double precision,
    first_token_ms double precision, ended_ms double precision, prompt_tokens bigint, cached_tokens bigint,
    completion_tokens bigint, cost_microusd bigint, cost_source text, cancelled boolean,
    created_at bigint
)
order by a.turn_id, a.position
on conflict (turn_id, position) do nothing
