-- Notes who asked to be forgotten, and when.
-- Parameter: ?1, the erasure as JSON.
insert into erasure as e (user_hash, erased_at)
select ?1 ->> 'user_hash', ?1 ->> 'erased_at'
where true
on conflict (user_hash) do update set erased_at = max(e.erased_at, excluded.erased_at)
