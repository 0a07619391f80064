-- One turn by its id, or the newest of a trace.
-- Parameter: :id (turn id or trace id). Row: the columns of `turn`, at most one.
select * from turn where turn_id = :id or trace_id = :id order by turn_id desc limit 1
