-- Forgets people, third: sessions that they have not come back to since.
delete from session where session_id in (
    select s.session_id from erasure e
    join session s on s.user_hash = e.user_hash and s.last_turn_at <= e.erased_at
)
