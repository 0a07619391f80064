-- Forgets people, first: what they thought of some of their turns.
-- Parameter: limit (rows).
delete from feedback where turn_id in (
    select t.turn_id from erasure e
    join turn t on t.user_hash = e.user_hash and t.created_at <= e.erased_at
    order by t.turn_id limit :limit
)
