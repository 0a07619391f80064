-- Forgets a person, second: what they thought of their turns.
-- Parameter: ?1, the erasure as JSON.
delete from feedback where turn_id in (
    select turn_id from turn where user_hash = ?1 ->> 'user_hash' and created_at <= ?1 ->> 'erased_at'
)
