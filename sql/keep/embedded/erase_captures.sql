-- Forgets a person, first: the words that were captured.
-- Parameter: ?1, the erasure as JSON.
delete from capture where user_hash = ?1 ->> 'user_hash'
