-- Summaries of calls of a time that is not kept.
-- Parameters: before, limit (ignored: there are few).
delete from summary_call where start_at < :before
