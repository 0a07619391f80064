-- Forgets a person, last: their turns stay, for the books, as nobody's.
-- Parameter: ?1, the erasure as JSON.
update turn set session_id = 'erased', user_hash = null, trace_id = '', satisfaction = null
where user_hash = ?1 ->> 'user_hash' and created_at <= ?1 ->> 'erased_at'
