-- Brings turns in line with what was noted of them.
-- Parameter: $1, a JSON array of commits.
update turn set committed = true
where experiment is not null and committed is not true
  and turn_id in (
      select n.turn_id from jsonb_to_recordset(cast($1 as jsonb)) as n (turn_id uuid)
  )
