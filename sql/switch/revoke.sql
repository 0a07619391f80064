-- Revokes a session id. Told twice, who was first stands, and the later end.
-- Parameters: session, expires, now, by.
insert into revocation as r (session_id, expires_at, revoked_at, revoked_by)
values (:session, :expires, :now, :by)
on conflict (session_id) do update set
    expires_at = excluded.expires_at,
    revoked_at = excluded.revoked_at
where r.expires_at < excluded.expires_at
