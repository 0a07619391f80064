-- Says that a summary is there and true, unless a row came meanwhile and took its mark away.
-- Parameters: start, grain (hours).
update summarised set is_ready = true
where start_at = :start and grain = :grain and not is_ready
