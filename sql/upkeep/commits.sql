-- What was noted of turns that are gone, some of them.
-- Parameters: before, limit (rows).
delete from committed_turn where turn_id in (
    select turn_id from committed_turn where created_at < :before order by created_at limit :limit
)
