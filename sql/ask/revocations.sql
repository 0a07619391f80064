-- Session ids that were revoked since, and would still hold: newest first.
-- Parameters: since, now, limit (rows). Row: session_id, expires_at.
select session_id, expires_at from revocation
where revoked_at >= :since and expires_at > :now
order by revoked_at desc limit :limit
