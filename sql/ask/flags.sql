-- Every flag that is set. Row: the columns of flag.
select * from flag order by name
