-- The upstream calls of one turn, in order.
-- Parameter: id. Row: the columns of attempt.
select * from attempt where turn_id = :id order by position
