-- Removes an old summary before a new one is written.
-- Parameters: start, grain (hours).
delete from summary where start_at = :start and grain = :grain
