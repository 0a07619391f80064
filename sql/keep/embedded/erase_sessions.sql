-- Forgets a person, third: their sessions.
-- Parameter: ?1, the erasure as JSON.
delete from session where user_hash = ?1 ->> 'user_hash' or session_id in (
    select session_id from turn where user_hash = ?1 ->> 'user_hash' and created_at <= ?1 ->> 'erased_at'
)
