-- Captured words whose time is over, some of them.
-- Parameters: before, limit (rows).
delete from capture where turn_id in (
    select turn_id from capture where expires_at < :before order by expires_at limit :limit
)
