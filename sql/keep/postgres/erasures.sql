-- Notes who asked to be forgotten, and when.
-- Parameter: $1, a JSON array of erasures.
insert into erasure as e (user_hash, erased_at)
select n.user_hash, max(to_timestamp(n.erased_at / 1000.0))
from jsonb_to_recordset(cast($1 as jsonb)) as n (user_hash text, erased_at bigint)
group by n.user_hash
order by n.user_hash
on conflict (user_hash) do update set erased_at = greatest(e.erased_at, excluded.erased_at)
