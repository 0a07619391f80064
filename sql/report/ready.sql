-- Says that a summary is there and true. Touches nothing where a row came meanwhile and took the mark
-- away, also where somebody else has begun anew since.
-- Parameters: start, grain (hours), now (when the mark was made).
update summarised set is_ready = true
where start_at = :start and grain = :grain and marked_at = :now and not is_ready
