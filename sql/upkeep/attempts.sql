-- Upstream calls that are older than they may be, some of them.
-- Parameters: before, limit (rows).
delete from attempt where (turn_id, position) in (
    select turn_id, position from attempt where created_at < :before limit :limit
)
