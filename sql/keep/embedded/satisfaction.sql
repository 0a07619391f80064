-- Brings a turn in line with what was said of it.
-- Parameter: ?1, the feedback as JSON.
update turn set satisfaction = f.satisfaction
from feedback f
where f.turn_id = turn.turn_id and turn.turn_id = ?1 ->> 'turn_id'
  and f.satisfaction is not turn.satisfaction
