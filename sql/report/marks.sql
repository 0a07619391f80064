-- Hours and days of a time that are summarised or being summarised.
-- Parameters: since, until. Row: start_at, grain, is_ready, marked_at.
select start_at, grain, is_ready, marked_at
from summarised
where start_at >= :since and start_at < :until
