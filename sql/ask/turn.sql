-- One turn by its id.
-- Parameter: id. Row: the columns of turn.
select * from turn where turn_id = :id
