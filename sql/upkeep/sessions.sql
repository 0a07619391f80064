-- Sessions without a turn since, some of them.
-- Parameters: before, limit (rows).
delete from session where session_id in (
    select session_id from session where last_turn_at < :before order by last_turn_at limit :limit
)
