-- The newest turn of a trace.
-- Parameter: trace. Row: the columns of turn.
select * from turn where trace_id = :trace order by turn_id desc limit 1
