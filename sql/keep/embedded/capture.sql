-- Keeps captured words, encrypted, unless their speaker asked to be forgotten meanwhile.
-- Parameter: ?1, the capture as JSON.
insert into capture (turn_id, user_hash, sealed, created_at, expires_at)
select ?1 ->> 'turn_id', ?1 ->> 'user_hash', ?1 ->> 'sealed', ?1 ->> 'created_at', ?1 ->> 'expires_at'
where not exists (
    select 1 from erasure e
    where e.user_hash = ?1 ->> 'user_hash' and ?1 ->> 'created_at' <= e.erased_at
)
on conflict (turn_id) do nothing
