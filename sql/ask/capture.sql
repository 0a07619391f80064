-- The captured words of a turn, as long as they are kept.
-- Parameters: id, now. Row: sealed.
select sealed from capture where turn_id = :id and expires_at > :now
