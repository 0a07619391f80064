-- What was told in a time that is not kept.
-- Parameters: before, limit (rows).
delete from alert where key in (
    select key from alert where raised_at < :before order by raised_at limit :limit
)
