-- Turns that are older than they may be, some of them.
-- Parameters: before, limit (rows).
delete from turn where turn_id in (
    select turn_id from turn where created_at < :before order by created_at limit :limit
)
