-- Keeps what users thought of turns; of two words about one turn the later one stands.
-- Parameter: $1, a JSON array of feedback.
insert into feedback as f (turn_id, satisfaction, created_at)
select distinct on (n.turn_id) n.turn_id, n.satisfaction, to_timestamp(n.created_at / 1000.0)
from rows from (
    jsonb_to_recordset(cast($1 as jsonb)) as (turn_id uuid, satisfaction smallint, created_at bigint)
) with ordinality as n (turn_id, satisfaction, created_at, place)
-- Of two words in one batch the later one, by the clock and then by the order they came in.
order by n.turn_id, n.created_at desc, n.place desc
on conflict (turn_id) do update set
    satisfaction = excluded.satisfaction,
    created_at = excluded.created_at
where f.created_at <= excluded.created_at
