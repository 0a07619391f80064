-- Removes an old summary of calls before a new one is written.
-- Parameters: start, grain (hours).
delete from summary_call where start_at = :start and grain = :grain
