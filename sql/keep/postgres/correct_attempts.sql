-- Puts upstream's own word in the place of an estimate. What upstream had said already stands.
-- Parameter: $1, a JSON array of corrections.
update attempt a set
    cost_microusd = c.cost_microusd,
    cost_source = 'corrected',
    provider = coalesce(c.provider, a.provider),
    prompt_tokens = coalesce(c.prompt_tokens, a.prompt_tokens),
    completion_tokens = coalesce(c.completion_tokens, a.completion_tokens)
from jsonb_to_recordset(cast($1 as jsonb)) as c (
    turn_id uuid, position integer, cost_microusd bigint, provider text, prompt_tokens bigint,
    completion_tokens bigint
)
where a.turn_id = c.turn_id and a.position = c.position
  and a.cost_source in ('estimated', 'unknown')
