-- Summaries of a time that is not kept.
-- Parameters: before, limit (ignored: there are few).
delete from summary where start_at < :before
