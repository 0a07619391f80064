-- Takes back the marks of those who never came to their end.
-- Parameter: before.
delete from summarised where not is_ready and marked_at < :before
