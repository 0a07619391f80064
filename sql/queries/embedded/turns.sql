-- One page of turns, newest first.
-- Parameters, each null for "any": :before (a turn id, exclusive: the cursor), :session_id, :coach,
-- :model (as served, else as planned), :outcome, :slow_over_ms (first speakable); :limit (rows).
-- Row: the columns of `turn`.
select *
from turn
where (:before is null or turn_id < :before)
  and (:session_id is null or session_id = :session_id)
  and (:coach is null or coach = :coach)
  and (:model is null or coalesce(served_model, planned_model) = :model)
  and (:outcome is null or outcome = :outcome)
  and (:slow_over_ms is null or first_speakable_ms > :slow_over_ms)
order by turn_id desc
limit :limit
