-- Forgets people, last: their words.
delete from capture where turn_id in (
    select c.turn_id from erasure e
    join capture c on c.user_hash = e.user_hash and c.created_at <= e.erased_at
)
