-- Revocations of ids that would not hold any more anyway, some of them.
-- Parameters: before, limit (rows).
delete from revocation where session_id in (
    select session_id from revocation where expires_at < :before order by expires_at limit :limit
)
