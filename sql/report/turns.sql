-- Turns of a time, added up by everything that reports group by. A turn of an experiment is told of as one
-- only once it counts.
-- Parameters: since, until. Row: the sums of table summary, without its counts by bucket.
select
    coach,
    coalesce(served_model, planned_model) as model,
    tier,
    coalesce(case when committed then experiment end, '') as experiment,
    coalesce(case when committed then variant end, '') as variant,
    count(*) as turns,
    count(*) filter (where outcome in ('failed', 'partial_failed', 'shed')) as failed,
    count(*) filter (where outcome in ('interrupted', 'superseded')) as interrupted,
    cast(coalesce(sum(prompt_tokens), 0) as bigint) as prompt_tokens,
    cast(coalesce(sum(completion_tokens), 0) as bigint) as completion_tokens,
    cast(coalesce(sum(cost_microusd), 0) as bigint) as cost_microusd,
    coalesce(sum(cast(cost_microusd as double precision) * cost_microusd), 0.0) as cost_squares,
    cast(coalesce(sum(cost_microusd) filter (where cost_source = 'estimated'), 0) as bigint)
        as estimated_microusd,
    count(*) filter (where cost_microusd is null) as unknown_costs,
    cast(coalesce(sum(satisfaction), 0) as bigint) as satisfaction_sum,
    cast(coalesce(sum(satisfaction * satisfaction), 0) as bigint) as satisfaction_squares,
    count(satisfaction) as satisfied,
    coalesce(sum(total_ms) filter (where outcome in ('complete', 'partial_recovered')), 0.0)
        as response_sum_ms,
    coalesce(sum(first_speakable_ms), 0.0) as first_token_sum_ms
from turn
where created_at >= :since and created_at < :until
group by coach, coalesce(served_model, planned_model), tier,
         coalesce(case when committed then experiment end, ''), coalesce(case when committed then variant end, '')
