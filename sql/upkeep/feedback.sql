-- What was thought of turns that are gone, some of them.
-- Parameters: before, limit (rows).
delete from feedback where turn_id in (
    select turn_id from feedback where created_at < :before order by created_at limit :limit
)
