-- Summaries of the upstream calls of a time.
-- Parameters: grain (hours), since, until. Row: the columns of summary_call.
select start_at, grain, model, calls, errors, cancelled as cancelled_calls, cost_microusd, unknown_costs
from summary_call
where grain = :grain and start_at >= :since and start_at < :until
