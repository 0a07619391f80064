-- Upstream calls of a time, added up by model.
-- Parameters: since, until. Row: the sums of table summary_call.
select
    model,
    count(*) as calls,
    count(*) filter (where error_kind is not null) as errors,
    count(*) filter (where cancelled) as cancelled_calls,
    cast(coalesce(sum(cost_microusd), 0) as bigint) as cost_microusd,
    count(*) filter (where cost_microusd is null and status = 200) as unknown_costs
from attempt
where created_at >= :since and created_at < :until
group by model
