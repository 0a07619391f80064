-- How long answers took that were heard to their end, counted by bucket.
-- Parameters: since, until. Row: coach, model, tier, experiment, variant, bucket, turns.
select coach, coalesce(served_model, planned_model) as model, tier,
       coalesce(case when committed then experiment end, '') as experiment,
       coalesce(case when committed then variant end, '') as variant,
       clm_bucket(total_ms) as bucket, count(*) as turns
from turn
where created_at >= :since and created_at < :until
  and outcome in ('complete', 'partial_recovered')
group by coach, coalesce(served_model, planned_model), tier,
         coalesce(case when committed then experiment end, ''), coalesce(case when committed then variant end, ''),
         clm_bucket(total_ms)
