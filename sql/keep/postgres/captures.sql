-- Keeps captured words, encrypted. What is kept already, has expired, or belongs to somebody who asked
-- to be forgotten meanwhile, is left out.
-- Parameter: $1, a JSON array of captures.
insert into capture (turn_id, user_hash, sealed, created_at, expires_at)
select n.turn_id, n.user_hash, n.sealed, to_timestamp(n.created_at / 1000.0), to_timestamp(n.expires_at / 1000.0)
from jsonb_to_recordset(cast($1 as jsonb)) as n (
    turn_id uuid, user_hash text, sealed text, created_at bigint, expires_at bigint
)
left join erasure e on e.user_hash = n.user_hash and to_timestamp(n.created_at / 1000.0) <= e.erased_at
where e.user_hash is null
order by n.turn_id
on conflict (turn_id) do nothing
