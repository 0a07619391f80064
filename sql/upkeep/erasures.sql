-- Erasures of whom no row can be on its way any more, some of them.
-- Parameters: before, limit (rows).
delete from erasure where user_hash in (
    select user_hash from erasure where erased_at < :before order by erased_at limit :limit
)
