-- How long people waited for the first words, counted by bucket.
-- Parameters: since, until. Row: coach, model, tier, experiment, variant, bucket, turns.
select coach, coalesce(served_model, planned_model) as model, tier,
       coalesce(case when committed then experiment end, '') as experiment,
       coalesce(case when committed then variant end, '') as variant,
       clm_bucket(first_speakable_ms) as bucket, count(*) as turns
from turn
where created_at >= :since and created_at < :until
  and first_speakable_ms is not null
group by coach, coalesce(served_model, planned_model), tier,
         coalesce(case when committed then experiment end, ''), coalesce(case when committed then variant end, ''),
         clm_bucket(first_speakable_ms)
