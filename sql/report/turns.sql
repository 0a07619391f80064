-- Turns of a time, added up by everything that reports group by. A turn of an experiment is told of as one
-- only once it counts. What a council's specialist came to is its own and its model's, not the turn's
-- coach's: its rows hold no turn, and what they hold is missing in the turn's.
-- Parameters: since, until. Row: the sums of table summary, without its counts by bucket; several of a kind.
with specialist as (
    select turn_id, coach, model, coalesce(sum(prompt_tokens), 0) as prompt_tokens,
           coalesce(sum(completion_tokens), 0) as completion_tokens, coalesce(sum(cost_microusd), 0) as cost_microusd
    from attempt
    where created_at >= :since and created_at < :until and coach is not null
    group by turn_id, coach, model
), council as (
    select turn_id, sum(prompt_tokens) as prompt_tokens, sum(completion_tokens) as completion_tokens,
           sum(cost_microusd) as cost_microusd
    from specialist
    group by turn_id
)
select
    t.coach,
    coalesce(t.served_model, t.planned_model) as model,
    t.tier,
    coalesce(case when t.committed then t.experiment end, '') as experiment,
    coalesce(case when t.committed then t.variant end, '') as variant,
    count(*) as turns,
    count(*) filter (where t.outcome in ('failed', 'partial_failed', 'shed')) as failed,
    count(*) filter (where t.outcome in ('interrupted', 'superseded')) as interrupted,
    cast(coalesce(sum(t.prompt_tokens - coalesce(c.prompt_tokens, 0)), 0) as bigint) as prompt_tokens,
    cast(coalesce(sum(t.completion_tokens - coalesce(c.completion_tokens, 0)), 0) as bigint)
        as completion_tokens,
    cast(coalesce(sum(t.cost_microusd - coalesce(c.cost_microusd, 0)), 0) as bigint) as cost_microusd,
    coalesce(sum(cast(t.cost_microusd as double precision) * t.cost_microusd), 0.0) as cost_squares,
    cast(coalesce(sum(t.cost_microusd - coalesce(c.cost_microusd, 0))
        filter (where t.cost_source = 'estimated'), 0) as bigint) as estimated_microusd,
    count(*) filter (where t.cost_microusd is null) as unknown_costs,
    cast(coalesce(sum(t.satisfaction), 0) as bigint) as satisfaction_sum,
    cast(coalesce(sum(t.satisfaction * t.satisfaction), 0) as bigint) as satisfaction_squares,
    count(t.satisfaction) as satisfied,
    coalesce(sum(t.total_ms) filter (where t.outcome in ('complete', 'partial_recovered')), 0.0)
        as response_sum_ms,
    coalesce(sum(t.first_speakable_ms), 0.0) as first_token_sum_ms
from turn t
left join council c on c.turn_id = t.turn_id
where t.created_at >= :since and t.created_at < :until
group by t.coach, coalesce(t.served_model, t.planned_model), t.tier,
         coalesce(case when t.committed then t.experiment end, ''),
         coalesce(case when t.committed then t.variant end, '')
union all
-- What a turn does not know the sum of, its specialists do not add to it.
select
    s.coach, s.model, t.tier,
    coalesce(case when t.committed then t.experiment end, ''),
    coalesce(case when t.committed then t.variant end, ''),
    0, 0, 0,
    cast(coalesce(sum(case when t.prompt_tokens is not null then s.prompt_tokens end), 0) as bigint),
    cast(coalesce(sum(case when t.completion_tokens is not null then s.completion_tokens end), 0) as bigint),
    cast(coalesce(sum(case when t.cost_microusd is not null then s.cost_microusd end), 0) as bigint),
    0.0,
    cast(coalesce(sum(case when t.cost_source = 'estimated' and t.cost_microusd is not null
        then s.cost_microusd end), 0) as bigint),
    0, 0, 0, 0, 0.0, 0.0
from specialist s
join turn t on t.turn_id = s.turn_id
where t.created_at >= :since and t.created_at < :until
group by s.coach, s.model, t.tier,
         coalesce(case when t.committed then t.experiment end, ''),
         coalesce(case when t.committed then t.variant end, '')
