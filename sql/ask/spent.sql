-- What turns cost since a time; one of unknown cost counts as what it was at most.
-- Parameters: since; until, user (its hash), session. Row: microusd.
select cast(coalesce(sum(coalesce(cost_microusd, ceiling_microusd, 0)), 0) as bigint) as microusd
from turn
where created_at >= :since
  and created_at < :until -- when until
  and user_hash = :user -- when user
  and session_id = :session -- when session
