-- Marks of summaries of a time that is not kept.
-- Parameters: before, limit (ignored: there are few).
delete from summarised where start_at < :before
