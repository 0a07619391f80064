-- When the oldest turn that is kept began.
-- Row: created_at; none without turns.
select created_at from turn order by created_at limit 1
