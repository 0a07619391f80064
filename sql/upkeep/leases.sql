-- Leases of days that are not kept.
-- Parameters: before, limit (ignored: there are few).
delete from lease where day_at < :before
