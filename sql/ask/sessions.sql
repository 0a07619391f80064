-- One page of sessions, the one with the newest turn first.
-- Parameters: limit (rows); before_at and before_id together: the cursor, exclusive; since and until (of
-- the newest turn); user (hash).
-- Row: the columns of session.
select *
from session
where true
  and (last_turn_at, session_id) < (:before_at, :before_id) -- when before_id
  and last_turn_at >= :since -- when since
  and last_turn_at < :until -- when until
  and user_hash = :user -- when user
order by last_turn_at desc, session_id desc
limit :limit
