-- One page of turns, newest first. A line that ends in "when" is left out where it is not asked for.
-- Parameters: limit (rows), and any of before (a turn id, exclusive: the cursor), since and until (times of
-- day; since_id and until_id, ids of about then, bound the walk over the key), session, coach, model (as
-- served, else as planned), outcome, slow_over_ms (first speakable).
-- Row: the columns of turn.
select *
from turn
where true
  and turn_id < :before -- when before
  and created_at >= :since -- when since
  and turn_id >= :since_id -- when since_id
  and created_at < :until -- when until
  and turn_id < :until_id -- when until_id
  and session_id = :session -- when session
  and coach = :coach -- when coach
  and coalesce(served_model, planned_model) = :model -- when model
  and outcome = :outcome -- when outcome
  and first_speakable_ms > :slow_over_ms -- when slow_over_ms
  and first_speakable_ms > 1000 -- when is_very_slow
order by turn_id desc
limit :limit
