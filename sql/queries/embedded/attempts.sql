-- The upstream calls of one turn, in order.
-- Parameter: :turn_id. Row: the columns of `attempt`.
select * from attempt where turn_id = :turn_id order by position
