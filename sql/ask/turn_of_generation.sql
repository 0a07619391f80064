-- The newest turn with an upstream call that upstream knows by this name.
-- Parameter: generation. Row: the columns of turn.
select * from turn
where turn_id = (select turn_id from attempt where generation_id = :generation order by turn_id desc limit 1)
