-- Puts upstream's own word in the place of an estimate. What upstream had said already stands.
-- Parameter: ?1, a correction as JSON.
update attempt set
    cost_microusd = ?1 ->> 'cost_microusd',
    cost_source = 'corrected',
    provider = coalesce(?1 ->> 'provider', provider),
    prompt_tokens = coalesce(?1 ->> 'prompt_tokens', prompt_tokens),
    completion_tokens = coalesce(?1 ->> 'completion_tokens', completion_tokens)
where turn_id = ?1 ->> 'turn_id' and position = ?1 ->> 'position'
  and cost_source in ('estimated', 'unknown')
