-- How long people waited for the first words, counted by bucket.
-- Parameters: since, until. Row: coach, model, tier, experiment, variant, bucket, turns.
select coach, coalesce(served_model, planned_model) as model, tier,
       coalesce(experiment, '') as experiment, coalesce(variant, '') as variant,
       clm_bucket(first_speakable_ms) as bucket, count(*) as turns
from turn
where created_at >= :since and created_at < :until
  and first_speakable_ms is not null
group by coach, coalesce(served_model, planned_model), tier, coalesce(experiment, ''),
         coalesce(variant, ''), clm_bucket(first_speakable_ms)
