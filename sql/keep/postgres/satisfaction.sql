-- Brings turns in line with what was said of them.
-- Parameter: $1, a JSON array of feedback.
update turn t set satisfaction = f.satisfaction
from feedback f
where f.turn_id = t.turn_id
  and f.satisfaction is distinct from t.satisfaction
  and f.turn_id in (
      select n.turn_id from jsonb_to_recordset(cast($1 as jsonb)) as n (turn_id uuid)
  )
