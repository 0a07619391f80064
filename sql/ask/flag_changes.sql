-- The latest changes of flags, newest first.
-- Parameter: limit. Row: the columns of flag_change.
select * from flag_change order by id desc limit :limit
