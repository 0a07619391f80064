-- Adds a turn that was new to its session.
-- Parameter: ?1, the turn's id.
insert into session as s (
    session_id, user_hash, first_turn_at, last_turn_at, turns, failed_turns, total_ms, prompt_tokens,
    completion_tokens, cost_microusd, unknown_costs
)
select session_id, user_hash, created_at, created_at, 1, outcome in ('failed', 'shed'), total_ms,
       coalesce(prompt_tokens, 0), coalesce(completion_tokens, 0), coalesce(cost_microusd, 0),
       cost_microusd is null
from turn
where turn_id = ?1 and session_id <> 'erased'
on conflict (session_id) do update set
    user_hash = coalesce(excluded.user_hash, s.user_hash),
    first_turn_at = min(s.first_turn_at, excluded.first_turn_at),
    last_turn_at = max(s.last_turn_at, excluded.last_turn_at),
    turns = s.turns + excluded.turns,
    failed_turns = s.failed_turns + excluded.failed_turns,
    total_ms = s.total_ms + excluded.total_ms,
    prompt_tokens = s.prompt_tokens + excluded.prompt_tokens,
    completion_tokens = s.completion_tokens + excluded.completion_tokens,
    cost_microusd = s.cost_microusd + excluded.cost_microusd,
    unknown_costs = s.unknown_costs + excluded.unknown_costs
