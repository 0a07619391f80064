-- Upstream calls whose cost upstream itself has not confirmed, newest first: after a restart they are
-- asked about again.
-- Parameters: since, limit. Row: turn_id, position, generation_id, ended_at (milliseconds since 1970).
select turn_id, position, generation_id, created_at, ended_ms
from attempt
where created_at >= :since
  and cost_source in ('estimated', 'unknown')
  and generation_id is not null
order by created_at desc
limit :limit
