-- Notes which turns of experiments count. They may not be here yet.
-- Parameter: $1, a JSON array of commits.
insert into committed_turn (turn_id, created_at)
select n.turn_id, min(to_timestamp(n.created_at / 1000.0))
from jsonb_to_recordset(cast($1 as jsonb)) as n (turn_id uuid, created_at bigint)
group by n.turn_id
order by n.turn_id
on conflict (turn_id) do nothing
