-- Adds what a turn cost to its session, or takes it out before the turn is corrected.
-- Parameters: ?1 the turn's id, ?2 1 or -1.
update session set
    cost_microusd = session.cost_microusd + ?2 * coalesce(t.cost_microusd, 0),
    prompt_tokens = session.prompt_tokens + ?2 * coalesce(t.prompt_tokens, 0),
    completion_tokens = session.completion_tokens + ?2 * coalesce(t.completion_tokens, 0),
    unknown_costs = session.unknown_costs + ?2 * (t.cost_microusd is null)
from turn t
where t.turn_id = ?1 and session.session_id = t.session_id
