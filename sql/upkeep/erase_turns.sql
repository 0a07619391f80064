-- Forgets people, second: the same turns stay, for the books, as nobody's.
-- Parameter: limit (rows).
update turn set session_id = 'erased', user_hash = null, trace_id = '', satisfaction = null
where turn_id in (
    select t.turn_id from erasure e
    join turn t on t.user_hash = e.user_hash and t.created_at <= e.erased_at
    order by t.turn_id limit :limit
)
